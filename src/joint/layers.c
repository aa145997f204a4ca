/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/layers.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "joint/options.h"
#include "joint/profile.h"
#include "joint/purpose.h"
#include "plan/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

void layers_free(struct layers *layers)
{
	if (!layers)
		return;
	for (size_t i = 0; i < layers->owned_count; i++)
		free(layers->owned[i]);
	free(layers->owned);
	option_texts_clear(&layers->words);
	free(layers->of_profile);
	free(layers->of_purpose);
	free(layers->profile);
	free(layers);
}

int layers_add(struct layers *layers, const char *format, ...)
{
	struct option_texts *words = &layers->words;
	char **owned = array_grow(layers->owned, &layers->owned_capacity, layers->owned_count, sizeof(*owned));
	const char **items;
	va_list args;
	int length;

	if (!owned)
		return -ENOMEM;
	layers->owned = owned;
	items = array_grow(words->items, &words->capacity, words->count, sizeof(*items));
	if (!items)
		return -ENOMEM;
	words->items = items;
	va_start(args, format);
	length = vasprintf(&owned[layers->owned_count], format, args);
	va_end(args);
	if (length < 0)
		return -ENOMEM;
	items[words->count++] = owned[layers->owned_count++];
	return 0;
}

/* The names of options whose last word stands in words [first, last). */
static const char **names_between(const struct option_found *found, size_t first, size_t last)
{
	const char **names = calloc(found->given_count + 1, sizeof(*names));
	size_t count = 0;

	for (size_t i = 0; names && i < found->given_count; i++) {
		const struct option_given *given = &found->given[i];

		if (given->option->kind != OPTION_TEXTS && (size_t)given->at >= first && (size_t)given->at < last)
			names[count++] = given->option->name;
	}
	return names;
}

/* Parse the layers' words with the command line behind them. */
static int parse_all(const struct option_table *const *tables, const char *command, int argc, const char *const *argv,
		     struct layers *layers, struct options *options, struct err *err)
{
	const size_t under = layers->words.count;
	const char **all = calloc(under + (size_t)argc + 1, sizeof(*all));
	int r;

	if (!all)
		return err_nomem(err);
	for (size_t i = 0; i < under; i++)
		all[i] = layers->words.items[i];
	for (int i = 0; i < argc; i++)
		all[under + (size_t)i] = argv[i];
	r = option_parse(tables, command, (int)under + argc, all, options, &layers->found, err);
	free(all);
	if (r < 0)
		return r;
	layers->of_purpose = names_between(&layers->found, 0, layers->purpose_words);
	layers->of_profile = names_between(&layers->found, layers->purpose_words, under);
	return layers->of_purpose && layers->of_profile ? 0 : err_nomem(err);
}

/* `purpose` by its word, as a profile was checked to have it. */
static enum purpose purpose_named(const char *word)
{
	enum purpose purpose = PURPOSE_ANY;

	for (unsigned i = 0; word && i < PURPOSE_COUNT; i++) {
		if (strcmp(purpose_words[i], word) == 0)
			purpose = (enum purpose)i;
	}
	return purpose;
}

/* What lies under this command line, in words. */
static int make(const struct options *command_line, const struct option_found *found, struct layers *layers,
		struct err *err)
{
	cleanup_(cleanup_profile) struct profile *profile = NULL;
	enum purpose purpose = command_line->request.purpose;

	if (command_line->request.profile) {
		int r = profile_read(command_line->request.profile, &profile, err);

		if (r < 0)
			return r;
	}
	if (!option_given(found, "for"))
		purpose = purpose_named(profile ? profile->purpose : NULL);
	if (purpose_add(purpose, found, profile, layers) < 0)
		return err_nomem(err);
	layers->purpose_words = layers->words.count;
	if (!profile)
		return 0;
	layers->profile = strdup(profile->path);
	return layers->profile && profile_add(profile, command_line, layers) == 0 ? 0 : err_nomem(err);
}

int layers_parse(const struct option_table *const *tables, const char *command, int argc, const char *const *argv,
		 struct options *options, struct option_found *ret_found, struct err *err)
{
	const struct options before = *options;
	struct layers *layers;
	int r = option_parse(tables, command, argc, argv, options, ret_found, err);

	if (r < 0 || options->help || (!options->request.profile && !options->request.purpose))
		return r;
	layers = calloc(1, sizeof(*layers));
	r = layers ? make(options, ret_found, layers, err) : err_nomem(err);
	if (r == 0) {
		options_clear(options);
		*options = before;
		r = parse_all(tables, command, argc, argv, layers, options, err);
	}
	options->layers = layers;
	return r;
}

/* How many of the repeated option's texts are the profile's: they stand first. */
static size_t texts_of_profile(const struct layers *layers, const char *flag)
{
	size_t count = 0;

	for (size_t i = layers->purpose_words; i < layers->words.count; i++)
		count += strcmp(layers->words.items[i], flag) == 0;
	return count;
}

void layers_tell(const struct options *options, struct workload *workload)
{
	const struct layers *layers = options->layers;

	if (!layers)
		return;
	workload->of_profile = layers->of_profile;
	workload->wishes.set_of_profile = texts_of_profile(layers, "--set");
	workload->wishes.unset_of_profile = texts_of_profile(layers, "--unset");
}

static void add_names(const char *const *names, const char *flag, struct text *text)
{
	for (size_t i = 0; names[i]; i++)
		text_add(text, "%s%s%s", i ? ", " : "", flag, names[i]);
}

int layers_explain(const struct options *options, struct plan *plan)
{
	const struct layers *layers = options->layers;
	const enum purpose purpose = options->request.purpose;
	cleanup_text struct text chosen = TEXT_INIT, asked = TEXT_INIT;
	size_t wishes;

	if (!layers)
		return 0;
	add_names(layers->of_purpose, "--", &chosen);
	add_names(layers->of_profile, "", &asked);
	wishes = texts_of_profile(layers, "--set") + texts_of_profile(layers, "--unset") +
		 texts_of_profile(layers, "--no");
	if (chosen.failed || asked.failed)
		return -ENOMEM;
	if (purpose && plan_note(&plan->reasons, "for", "--for", "%s%s%s", purpose_why(purpose),
				 chosen.length ? ": " : "", chosen.length ? chosen.data : "") < 0)
		return -ENOMEM;
	if (wishes)
		text_add(&asked, "%s%zu of set, unset and no", asked.length ? ", " : "", wishes);
	if (asked.failed)
		return -ENOMEM;
	return layers->profile ? plan_note(&plan->reasons, "profile", layers->profile, "the profile decides: %s",
					   asked.length ? asked.data : "nothing that the command line does not")
			       : 0;
}
