/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/require.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/text.h"
#include "report/findings.h"

#include <string.h>

static const char start_word[] = "start";
/* Findings of oneDNN's own stream (src/onednn/advice.c), which a run's report does not have. */
static const char *const of_streams[] = { "primitive-cache-thrash", "layout-slow" };

static const char *of_stream(const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(of_streams); i++) {
		if (strcmp(of_streams[i], id) == 0)
			return of_streams[i];
	}
	return NULL;
}

static int unknown(const char *id, struct err *err)
{
	struct nearest near = { .word = id };

	nearest_try(&near, start_word);
	for (size_t i = 0; report_name(i); i++)
		nearest_try(&near, report_name(i));
	return err_set(err, -EINVAL,
		       "option '--require': there is no finding or check '%s'%s%s%s; fettle-inspect(1) has the list",
		       id, near.best ? ", nearest is '" : "", near.best ? near.best : "", near.best ? "'" : "");
}

static bool is_name(const char *id)
{
	for (size_t i = 0; report_name(i); i++) {
		if (strcmp(report_name(i), id) == 0)
			return true;
	}
	return false;
}

int require_parse(const char *value, struct require *ret_require, struct err *err)
{
	cleanup_(require_clear) struct require require = { .asked = value != NULL };
	cleanup_free char *list = value && *value ? strdup(value) : NULL;
	char *rest = list;

	if (value && *value && !list)
		return err_nomem(err);
	for (const char *id; (id = strsep(&rest, ",")) != NULL;) {
		const char *const stream = of_stream(id);

		require.elsewhere = require.elsewhere ? require.elsewhere : stream;
		if (strcmp(id, start_word) == 0)
			require.start = true;
		else if (!stream && !is_name(id))
			return unknown(id, err);
		else if (words_add(&require.ids, id) < 0)
			return err_nomem(err);
	}
	*ret_require = require;
	require = (struct require){ .asked = false };
	return 0;
}

void require_clear(struct require *require)
{
	words_clear(&require->ids);
	*require = (struct require){ .asked = false };
}

static bool is_named(const struct require *require, const char *id)
{
	for (size_t i = 0; i < require->ids.count; i++) {
		if (strcmp(require->ids.items[i], id) == 0)
			return true;
	}
	return false;
}

static const struct check *find_check(const struct require *require, const struct report *report, enum verdict verdict)
{
	for (size_t i = 0; require->asked && i < report->check_count; i++) {
		const struct check *check = &report->checks[i];

		if (check->verdict == verdict && (!require->ids.count || is_named(require, check->name)))
			return check;
	}
	return NULL;
}

bool require_unmet(const struct require *require, const struct report *report, struct required *ret_required)
{
	*ret_required = (struct required){ .check = NULL };
	for (size_t i = 0; require->asked && i < report->finding_count; i++) {
		const struct finding *finding = &report->findings[i];

		if (require->ids.count ? is_named(require, finding->id) : finding->severity == SEVERITY_ERROR) {
			ret_required->finding = finding;
			return true;
		}
	}
	ret_required->check = find_check(require, report, VERDICT_DIFFERS);
	return ret_required->check != NULL;
}

bool require_unknown(const struct require *require, const struct report *report, struct required *ret_required)
{
	*ret_required = (struct required){ .check = find_check(require, report, VERDICT_UNKNOWN) };
	return ret_required->check != NULL;
}

char *required_words(const struct required *required, int index)
{
	const struct check *check = required->check;
	struct text text = TEXT_INIT;

	if (index >= 0)
		text_add(&text, "instance %d: ", index);
	if (required->finding) {
		text_add(&text, "%s: %s", required->finding->id, required->finding->text);
		return text_take(&text);
	}
	text_add(&text, "%s", check->name);
	if (check->asked)
		text_add(&text, ", asked %s", check->asked);
	if (check->granted)
		text_add(&text, ", granted %s", check->granted);
	if (check->seen)
		text_add(&text, ", seen %s", check->seen);
	if (check->evidence.count)
		text_add(&text, " (%s)", check->evidence.items[0]);
	return text_take(&text);
}
