/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_hook.h"

#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/record.h"
#include "base/text.h"
#include "base/words.h"
#include "cli/output.h"
#include "cli/start.h"
#include "joint/options.h"
#include "plan/plan.h"
#include "report/hook_json.h"

enum { SHOWN_MOST = 20 }; /* lines: a loader has many workers */

static bool is_hooked(const struct launch_child *child)
{
	size_t length = 0;
	const char *plan = environ_value((const char *const *)child->environment, RECORD_VARIABLE);

	return record_field(plan, "hook=", &length) != NULL;
}

int run_hooks_begin(const struct options *options, const struct start *start, struct run_hooks *ret_hooks,
		    struct err *err)
{
	struct run_hooks *hooks = ret_hooks;
	int r = 0;

	*hooks = (struct run_hooks){ .items = NULL };
	if (!options_watch(options) && !options->verbose)
		return 0;
	hooks->items = calloc(start->count, sizeof(*hooks->items));
	if (!hooks->items)
		return err_nomem(err);
	hooks->count = start->count;
	for (size_t i = 0; i < start->count; i++)
		hooks->items[i].file = (struct hook_file)HOOK_FILE_INIT;
	for (size_t i = 0; r == 0 && i < start->count; i++) {
		const struct launch_child *child = &start->children[i];
		struct run_hook *hook = &hooks->items[i];
		struct err why;

		hook->asked = is_hooked(child);
		if (!hook->asked || hook_file_make(&hook->file, &why) < 0)
			continue;
		r = hook_file_tell(&hook->file, (char **)child->environment);
		if (r == 0 && child->unpinned)
			r = hook_file_tell(&hook->file, (char **)child->unpinned);
	}
	return r < 0 ? err_nomem(err) : 0;
}

void run_hooks_clear(struct run_hooks *hooks)
{
	for (size_t i = 0; i < hooks->count; i++) {
		hook_file_close(&hooks->items[i].file);
		json_decref(hooks->items[i].told);
	}
	free(hooks->items);
	*hooks = (struct run_hooks){ .items = NULL };
}

/* Which of several it is; `process` NULL: the whole instance. */
static char *about(const json_t *process, size_t instances, unsigned index, bool alone)
{
	struct text text = TEXT_INIT;

	text_add(&text, "%s", "");
	if (instances > 1)
		text_add(&text, "instance %u: ", index);
	if (process && !alone)
		text_add(&text, "process %lld: ", (long long)json_integer_value(json_object_get(process, "pid")));
	return text_take(&text);
}

static void show(const json_t *process, const char *before, unsigned *shown)
{
	const json_t *lines = hook_lines(process);

	if (json_array_size(lines) && !json_is_true(json_object_get(process, "ended")) && ++*shown <= SHOWN_MOST)
		output_line("%sPyTorch: its end was not seen; %.1f s after it was loaded:", before,
			    json_number_value(json_object_get(process, "told_s")));

	for (size_t i = 0; i < json_array_size(lines); i++) {
		const char *line = json_string_value(json_array_get(lines, i));

		if (!line)
			continue;
		if (++*shown > SHOWN_MOST)
			return;
		output_line("%s%s", before, line);
	}
}

/* Planned and not there: a program that makes its own PYTHONPATH, or has no use for PyTorch. */
static int show_none(size_t instances, unsigned index)
{
	cleanup_free char *before = about(NULL, instances, index, true);

	if (!before)
		return -ENOMEM;
	output_line("%sPyTorch: was loaded in no process that fettle's hook reached", before);
	return 0;
}

static int read_one(struct run_hook *hook)
{
	cleanup_words struct words texts = { .items = NULL };

	if (!hook->asked || hook->file.fd < 0)
		return 0;
	if (hook_file_read(&hook->file, &texts) < 0)
		return -ENOMEM;
	hook->told = hook_to_json(&texts);
	return hook->told ? 0 : -ENOMEM;
}

static int show_all(const struct run_hook *hook, size_t instances, unsigned index, bool none, unsigned *shown)
{
	const json_t *processes = json_object_get(hook->told, "processes");

	for (size_t k = 0; k < json_array_size(processes); k++) {
		const json_t *process = json_array_get(processes, k);
		cleanup_free char *before = about(process, instances, index, json_array_size(processes) == 1);

		if (!before)
			return -ENOMEM;
		show(process, before, shown);
	}
	return none && hook->told && !json_array_size(processes) ? show_none(instances, index) : 0;
}

int run_hooks_finish(struct run_hooks *hooks, const struct options *options, const struct start *start, struct err *err)
{
	const bool shows = !options->quiet && (options->verbose || options->supervision.verify);
	unsigned shown = 0;

	for (size_t i = 0; i < hooks->count; i++) {
		const struct run_hook *hook = &hooks->items[i];

		if (read_one(&hooks->items[i]) < 0 ||
		    (shows &&
		     show_all(hook, hooks->count, start->children[i].instance->index, options->verbose, &shown) < 0))
			return err_nomem(err);
	}
	if (shown > SHOWN_MOST)
		output_line("PyTorch: more lines are in --report");
	return 0;
}
