/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/plan_document.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "settings/settings.h"

#include <string.h>

static const char SCHEMA[] = "fettle.plan/1";

static void cleanup_json_(json_t **json)
{
	json_decref(*json);
}
#define cleanup_json cleanup_(cleanup_json_)

enum { DOCUMENT_MAX = 64 << 20 }; /* bytes; a plan of 1,024 instances is a few */

/* JSON is UTF-8; an environment need not be. Bytes that are none become '?'. */
static json_t *json_bytes(const char *bytes)
{
	json_t *string = json_string(bytes);
	cleanup_free char *shown = NULL;

	if (string)
		return string;
	shown = strdup(bytes);
	for (char *c = shown; c && *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	return shown ? json_string(shown) : NULL;
}

/* Where `entry` stands in `base`, looking at `guess` first: untouched variables keep their order. -1: nowhere. */
static long position(const char *const *base, long guess, long count, const char *entry)
{
	if (guess < count && strcmp(base[guess], entry) == 0)
		return guess;
	for (long i = 0; i < count; i++) {
		if (strcmp(base[i], entry) == 0)
			return i;
	}
	return -1;
}

/* What is in `now` and not, or not so, in `base`. */
static int add_changed(json_t *object, const char *const *base, char *const *now)
{
	long count = 0, guess = 0;

	while (base[count])
		count++;
	for (; *now; now++) {
		const size_t length = strcspn(*now, "=");
		const long at = position(base, guess, count, *now);
		cleanup_free char *name = NULL;

		if (at >= 0) {
			guess = at + 1;
			continue;
		}
		name = strndup(*now, length);
		if (!name || json_object_set_new(object, name, json_bytes(*now + length + !!(*now)[length])) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A variable that fettle takes out stands there as null. */
static int add_removed(json_t *object, const struct workload *workload, const struct settings *settings,
		       unsigned instance)
{
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->items[i];

		if (!setting->environment || setting->value || !workload_getenv(workload, setting->name) ||
		    !settings_counts(settings, setting, instance))
			continue;
		if (json_object_set_new(object, setting->name, json_null()) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_environments(json_t *instances, const struct workload *workload, const struct settings *settings,
			    struct err *err)
{
	static const char *const nothing[] = { NULL };
	const char *const *base = workload->environment ? workload->environment : nothing;
	json_t *instance;
	size_t i;

	json_array_foreach(instances, i, instance)
	{
		json_t *changes = json_object();
		char **now = NULL;
		int r = settings_environment(settings, (unsigned)i, base, &now, err);

		if (r == 0 && (!changes || add_changed(changes, base, now) < 0 ||
			       add_removed(changes, workload, settings, (unsigned)i) < 0))
			r = err_nomem(err);
		environment_free(now);
		if (r < 0) {
			json_decref(changes);
			return r;
		}
		if (json_object_set_new(instance, "environment", changes) < 0)
			return err_nomem(err);
	}
	return 0;
}

int plan_document_to_json(const struct machine *machine, const struct workload *workload, const json_t *request,
			  const struct plan *plan, const struct settings *settings, json_t **ret_document,
			  struct err *err)
{
	cleanup_json json_t *document = json_object();
	cleanup_json json_t *part = plan_to_json(plan);
	cleanup_free char *summary = machine_summary(machine);
	json_t *instances = json_object_get(part, "instances");
	int r;

	if (!document || !part || !summary || !instances)
		return err_nomem(err);
	r = add_environments(instances, workload, settings, err);
	if (r < 0)
		return r;
	r = json_object_set_new(document, "schema", json_string(SCHEMA)) |
	    json_object_set_new(document, "machine",
				json_pack("{s:o, s:o}", "source", json_bytes(machine->source_name), "summary",
					  json_bytes(summary))) |
	    json_object_set_new(document, "request",
				request ? json_deep_copy(request) : request_to_json(&workload->request)) |
	    json_object_set(document, "instances", instances) |
	    json_object_set_new(document, "settings", settings_to_json(settings)) |
	    json_object_set(document, "reasons", json_object_get(part, "reasons")) | json_object_update(document, part);
	if (r < 0)
		return err_set(err, -ENOMEM, "cannot write the plan as JSON: out of memory, or a text is not UTF-8");
	*ret_document = TAKE(document);
	return 0;
}

char *json_document_text(const json_t *document)
{
	cleanup_free char *dump = json_dumps(document, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	struct text text = TEXT_INIT;

	if (!dump)
		return NULL;
	text_add_bytes(&text, dump, strlen(dump));
	text_add_bytes(&text, "\n", 1);
	return text_take(&text);
}

static int load(const char *file, json_t **ret_document, struct err *err)
{
	cleanup_file FILE *f = fopen(file, "re");
	cleanup_text struct text bytes = TEXT_INIT;
	json_error_t why;
	char chunk[16384];
	size_t n;

	if (!f)
		return err_errno(err, -errno, "cannot read plan '%s'", file);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
		if (bytes.length + n > DOCUMENT_MAX)
			return err_set(err, -EFBIG, "cannot read plan '%s': larger than %d MiB", file,
				       DOCUMENT_MAX >> 20);
		text_add_bytes(&bytes, chunk, n);
	}
	if (ferror(f))
		return err_errno(err, -errno, "cannot read plan '%s'", file);
	if (bytes.failed)
		return err_nomem(err);
	*ret_document = json_loadb(bytes.data ? bytes.data : "", bytes.length, JSON_REJECT_DUPLICATES, &why);
	if (!*ret_document)
		return err_set(err, -EINVAL, "cannot read plan '%s': line %d: %s", file, why.line, why.text);
	return 0;
}

static int take_apart(json_t *document, struct plan **ret_plan, struct settings **ret_settings, struct err *err)
{
	cleanup_plan struct plan *plan = NULL;
	const char *schema;
	json_t *rows;
	int r;

	if (!json_is_object(document))
		return err_set(err, -EINVAL, "no JSON object");
	r = json_get_text(document, "schema", &schema, err);
	if (r == 0 && strcmp(schema, SCHEMA) != 0)
		r = err_set(err, -EINVAL, "'schema' is '%s', not '%s'", schema, SCHEMA);
	if (r == 0)
		r = plan_from_json(document, &plan, err);
	if (r == 0)
		r = json_get_array(document, "settings", &rows, err);
	if (r == 0)
		r = settings_from_json(rows, ret_settings, err);
	if (r == 0)
		*ret_plan = TAKE(plan);
	return r;
}

int plan_document_read(const char *file, struct plan **ret_plan, struct settings **ret_settings, json_t **ret_request,
		       struct err *err)
{
	cleanup_json json_t *document = NULL;
	int r = load(file, &document, err);

	if (r < 0)
		return r;
	r = take_apart(document, ret_plan, ret_settings, err);
	if (r < 0)
		return err_wrap(err, "cannot read plan '%s'", file);
	*ret_request = json_incref(json_object_get(document, "request"));
	return 0;
}
