/* SPDX-License-Identifier: Apache-2.0 */
#include "settings/planned.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/record.h"
#include "plan/plan.h"

#include <string.h>

void planned_clear(struct planned *planned)
{
	hwloc_bitmap_free(planned->pus_os);
	hwloc_bitmap_free(planned->mask_os);
	hwloc_bitmap_free(planned->nodes_os);
	words_clear(&planned->preloads);
	words_clear(&planned->set);
	*planned = (struct planned){ .known = false };
}

bool planned_has(const struct words *words, const char *name)
{
	for (size_t i = 0; i < words->count; i++) {
		if (strcmp(words->items[i], name) == 0)
			return true;
	}
	return false;
}

/* A copy of the field's value; NULL there: the record has no such field. Returns 0 or -ENOMEM. */
static int take_field(const char *record, const char *key, char **ret_value)
{
	size_t length = 0;
	const char *value = record_field(record, key, &length);

	*ret_value = value ? strndup(value, length) : NULL;
	return value && !*ret_value ? -ENOMEM : 0;
}

static int broken(const char *key, const char *value, struct err *err)
{
	return err_set(err, -EINVAL, "%s has no plan to go by: '%s%s'", RECORD_VARIABLE, key, value ? value : "");
}

static int read_list(const char *record, const char *key, hwloc_bitmap_t *ret_set, struct err *err)
{
	cleanup_free char *value = NULL;
	struct err ignored = { 0 };
	int r = take_field(record, key, &value);

	if (r < 0)
		return err_nomem(err);
	if (!value || cpulist_parse(value, ret_set, &ignored) < 0)
		return broken(key, value, err);
	return 0;
}

/* "word" or "word:rest" as an index of `words`; `*ret_rest` points behind the colon, or is NULL. */
static int find_word(char *value, const char *const *words, unsigned count, unsigned *ret_index, char **ret_rest)
{
	char *const colon = strchr(value, ':');

	if (colon)
		*colon = '\0';
	*ret_rest = colon ? colon + 1 : NULL;
	for (unsigned i = 0; i < count; i++) {
		if (strcmp(value, words[i]) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_words(const char *record, struct planned *planned, struct err *err)
{
	cleanup_free char *pin = NULL, *memory = NULL;
	struct err ignored = { 0 };
	unsigned index = 0;
	char *rest = NULL;

	if (take_field(record, "pin=", &pin) < 0 || take_field(record, "mem=", &memory) < 0)
		return err_nomem(err);
	if (!pin || find_word(pin, pin_words, PIN_COUNT, &index, &rest) < 0)
		return broken("pin=", pin, err);
	planned->pin = (enum pin)index;
	if (!memory || find_word(memory, memory_policy_words, MEMORY_POLICY_COUNT, &index, &rest) < 0)
		return broken("mem=", memory, err);
	planned->memory_policy = (enum memory_policy)index;
	if (rest && cpulist_parse(rest, &planned->nodes_os, &ignored) < 0)
		return broken("mem=", rest, err);
	if (!planned->nodes_os)
		planned->nodes_os = hwloc_bitmap_alloc();
	return planned->nodes_os ? 0 : err_nomem(err);
}

static int read_index(const char *record, struct planned *planned, struct err *err)
{
	cleanup_free char *value = NULL;
	char *slash;

	if (take_field(record, "i=", &value) < 0)
		return err_nomem(err);
	slash = value ? strchr(value, '/') : NULL;
	if (!slash)
		return broken("i=", value, err);
	*slash = '\0';
	if (parse_unsigned(value, &planned->index) < 0 || parse_unsigned(slash + 1, &planned->count) < 0)
		return broken("i=", value, err);
	return 0;
}

static int read_names(const char *record, const char *key, struct words *words, struct err *err)
{
	cleanup_free char *value = NULL;
	char *save = NULL;

	if (take_field(record, key, &value) < 0)
		return err_nomem(err);
	for (char *name = value ? strtok_r(value, ",", &save) : NULL; name; name = strtok_r(NULL, ",", &save)) {
		if (words_add(words, name) < 0)
			return err_nomem(err);
	}
	return 0;
}

/* What the plan of instances does not hold: what was preloaded and set, and how the program's processes share. */
static int take_words(const char *record, struct planned *planned, struct err *err)
{
	cleanup_free char *flush = NULL, *each = NULL;
	int r = read_names(record, "pre=", &planned->preloads, err);

	if (r == 0)
		r = read_names(record, "set=", &planned->set, err);
	if (r == 0 && (take_field(record, "fp=", &flush) < 0 || take_field(record, "each=", &each) < 0))
		r = err_nomem(err);
	if (r < 0)
		return r;
	planned->flush = flush && strcmp(flush, "flush") == 0;
	planned->shared = each != NULL;
	return each && parse_unsigned(each, &planned->threads) < 0 ? broken("each=", each, err) : 0;
}

int planned_read(const char *record, struct planned *ret_planned, struct err *err)
{
	cleanup_planned struct planned planned = { .known = true };
	int r;

	if (!record || strncmp(record, RECORD_VERSION, strlen(RECORD_VERSION)) != 0)
		return err_set(err, -ENOENT, "there is no %s of a version known here", RECORD_VARIABLE);
	r = read_index(record, &planned, err);
	if (r == 0)
		r = read_list(record, "cpus=", &planned.pus_os, err);
	if (r == 0)
		r = read_list(record, "mask=", &planned.mask_os, err);
	if (r == 0)
		r = read_words(record, &planned, err);
	if (r < 0)
		return r;
	planned.threads = (unsigned)hwloc_bitmap_weight(planned.pus_os);
	r = take_words(record, &planned, err);
	if (r < 0)
		return r;
	*ret_planned = planned;
	planned = (struct planned){ .known = false };
	return 0;
}

int planned_from_plan(const struct plan_instance *instance, unsigned count, struct planned *ret_planned)
{
	cleanup_planned struct planned planned = {
		.index = instance->index,
		.count = count,
		.pus_os = hwloc_bitmap_dup(instance->pus_os),
		.mask_os = hwloc_bitmap_dup(instance->mask_os),
		.threads = instance->threads,
		.pin = instance->pin,
		.memory_policy = instance->memory_policy,
		.nodes_os = hwloc_bitmap_dup(instance->nodes_os),
	};

	if (!planned.pus_os || !planned.mask_os || !planned.nodes_os)
		return -ENOMEM;
	*ret_planned = planned;
	planned = (struct planned){ .known = false };
	return 0;
}

int planned_of_run(const struct plan_instance *instance, unsigned count, const char *record,
		   struct planned *ret_planned, struct err *err)
{
	cleanup_planned struct planned planned = { .known = false };
	int r = planned_from_plan(instance, count, &planned) < 0 ? err_nomem(err) : take_words(record, &planned, err);

	if (r < 0)
		return r;
	planned.known = true;
	*ret_planned = planned;
	planned = (struct planned){ .known = false };
	return 0;
}

static int copy_words(const struct words *from, struct words *to)
{
	for (size_t i = 0; i < from->count; i++) {
		if (words_add(to, from->items[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

int planned_copy(const struct planned *from, struct planned *ret_planned)
{
	cleanup_planned struct planned copy = *from;

	copy.pus_os = hwloc_bitmap_dup(from->pus_os);
	copy.mask_os = hwloc_bitmap_dup(from->mask_os);
	copy.nodes_os = hwloc_bitmap_dup(from->nodes_os);
	copy.preloads = (struct words){ .count = 0 };
	copy.set = (struct words){ .count = 0 };
	if (!copy.pus_os || !copy.mask_os || !copy.nodes_os || copy_words(&from->preloads, &copy.preloads) < 0 ||
	    copy_words(&from->set, &copy.set) < 0)
		return -ENOMEM;
	*ret_planned = copy;
	copy = (struct planned){ .known = false };
	return 0;
}
