/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/option.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/parse.h"
#include "base/text.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

/* As nanoseconds they fit 64 bits many times over; 30 years. */
#define SECONDS_MAX_MILLI 1000000000000U

/* The words being parsed, and where we are in them. */
struct parser {
	const struct option_table *const *tables;
	const char *command;
	int argc, next;
	const char *const *argv;
	void *options;
	struct option_found *found;
};

static int refuse(const struct option *option, const char *value, const char *wanted, struct err *err)
{
	return err_set(err, -EINVAL, "option '--%s': '%s' is not %s", option->name, value, wanted);
}

static int take_number(const struct option *option, const char *value, void *where, struct err *err)
{
	unsigned number;
	const bool count = option->kind == OPTION_COUNT;
	int r = parse_unsigned(value, &number);

	/* Counts are multiplied by each other later: nothing real is near the limit. */
	if (r < 0 || (count && !number) || number > INT_MAX)
		return refuse(option, value, count ? "a count of at least 1" : "a count of at least 0", err);
	*(unsigned *)where = number;
	return 0;
}

static int take_cores(const struct option *option, const char *value, void *where, struct err *err)
{
	int number;

	if (parse_int(value, &number) < 0 || number < -1)
		return refuse(option, value, "a count of cores, 0 (even) or -1 (the remainder too)", err);
	*(int *)where = number;
	return 0;
}

static int take_int(const struct option *option, const char *value, void *where, struct err *err)
{
	int number;

	if (parse_int(value, &number) < 0)
		return refuse(option, value, "a whole number", err);
	*(int *)where = number;
	return 0;
}

static int take_part(const struct option *option, const char *value, void *where, struct err *err)
{
	struct part part;

	if (parse_part(value, &part) < 0 || part.amount > INT_MAX)
		return refuse(option, value, "a count of at least 0 or a percentage such as 25%", err);
	*(struct part *)where = part;
	return 0;
}

static int take_list(const struct option *option, const char *value, void *where, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	struct err why;
	int r = cpulist_parse(value, &set, &why);

	if (r == -ENOMEM)
		return err_nomem(err);
	if (r < 0 || hwloc_bitmap_iszero(set))
		return refuse(option, value, "a list such as 0-3,8", err);
	*(const char **)where = value;
	return 0;
}

static int take_amount(const struct option *option, const char *value, void *where, struct err *err)
{
	uint64_t amount = 0;

	if (option->kind == OPTION_BYTES && (parse_bytes(value, &amount) < 0 || !amount))
		return refuse(option, value, "a number of bytes such as 512M or 16G", err);
	if (option->kind == OPTION_CPUS && parse_milli(value, &amount) < 0)
		return refuse(option, value, "a number of CPUs such as 2 or 1.5", err);
	if (option->kind == OPTION_SECONDS && (parse_milli(value, &amount) < 0 || amount > SECONDS_MAX_MILLI))
		return refuse(option, value, "a number of seconds such as 30 or 1.5", err);
	*(const char **)where = value;
	return 0;
}

static int take_choice(const struct option *option, const char *value, void *where, struct err *err)
{
	cleanup_text struct text words = TEXT_INIT;

	for (unsigned i = 0; i < option->word_count; i++) {
		if (strcmp(value, option->words[i]) == 0) {
			*(unsigned *)where = i;
			return 0;
		}
		text_add(&words, "%s%s", i ? ", " : "", option->words[i]);
	}
	return err_set(err, -EINVAL, "option '--%s': '%s' is none of %s", option->name, value,
		       words.data ? words.data : "its words");
}

static int take_texts(const char *value, struct option_texts *texts, struct err *err)
{
	const char **grown = array_grow(texts->items, &texts->capacity, texts->count, sizeof(*grown));

	if (!grown)
		return err_nomem(err);
	texts->items = grown;
	texts->items[texts->count++] = value;
	return 0;
}

static int take_value(const struct option *option, const char *value, void *options, struct err *err)
{
	void *where = (char *)options + option->offset;

	switch (option->kind) {
	case OPTION_FLAG:
		*(bool *)where = true;
		return 0;
	case OPTION_COUNT:
	case OPTION_NUMBER:
		return take_number(option, value, where, err);
	case OPTION_CORES:
		return take_cores(option, value, where, err);
	case OPTION_INT:
		return take_int(option, value, where, err);
	case OPTION_PART:
		return take_part(option, value, where, err);
	case OPTION_LIST:
		return take_list(option, value, where, err);
	case OPTION_BYTES:
	case OPTION_CPUS:
	case OPTION_SECONDS:
		return take_amount(option, value, where, err);
	case OPTION_CHOICE:
		return take_choice(option, value, where, err);
	case OPTION_TEXT:
	case OPTION_FILE:
		if (!*value)
			return err_set(err, -EINVAL, "option '--%s': the value is empty", option->name);
		*(const char **)where = value;
		return 0;
	case OPTION_WORD:
	case OPTION_MAYBE:
		*(const char **)where = value;
		return 0;
	case OPTION_TEXTS:
		return take_texts(value, where, err);
	}
	return err_set(err, -EINVAL, "option '--%s' is of no known kind", option->name);
}

static int unknown(const struct parser *parser, const char *word, struct err *err)
{
	struct nearest near = { .word = word };

	for (const struct option_table *const *t = parser->tables; *t; t++) {
		for (size_t i = 0; i < (*t)->count; i++) {
			if ((*t)->rows[i].help)
				nearest_try(&near, (*t)->rows[i].name);
		}
	}
	return err_set(err, -EINVAL, "unknown option '%s'%s%s%s; try 'fettle %s%s--help'", word,
		       near.best ? ", nearest is '--" : "", near.best ? near.best : "", near.best ? "'" : "",
		       parser->command ? parser->command : "", parser->command ? " " : "");
}

static void mark_given(const struct parser *parser, size_t table, const struct option_given *given)
{
	const struct option *option = given->option;
	struct option_found *found = parser->found;
	size_t i = 0;

	while (i < found->given_count && found->given[i].option != option)
		i++;
	assert(i < ARRAY_SIZE(found->given)); /* no command has as many options */
	found->given[i] = *given;
	found->given_count += i == found->given_count;
	if (!found->first[table])
		found->first[table] = option;
	if (option->given)
		*((bool *)parser->options + option->given) = true;
}

/* Does `name` begin the option's name? */
static bool begins(const struct option_table *table, const struct option *option, const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		const bool dash = table->foreign && name[i] == '_' && option->name[i] == '-';

		if (name[i] != option->name[i] && !dash)
			return false;
	}
	return true;
}

/*
 * The option of that name and its table's position; NULL: there is none, or none that alone is meant (`*ret_begun` is
 * then one of those that begin so).
 */
static const struct option *find_long(const struct parser *parser, const char *name, size_t length, size_t *ret_table,
				      const struct option **ret_begun)
{
	unsigned count = 0;

	*ret_begun = NULL;
	for (size_t t = 0; parser->tables[t]; t++) {
		const struct option_table *table = parser->tables[t];

		for (size_t i = 0; i < table->count; i++) {
			const struct option *option = &table->rows[i];

			if (!begins(table, option, name, length))
				continue;
			if (!option->name[length]) {
				*ret_table = t;
				return option;
			}
			if (table->foreign && length && count++ == 0) {
				*ret_table = t;
				*ret_begun = option;
			}
		}
	}
	return count == 1 ? *ret_begun : NULL;
}

/* One "--name", "--name VALUE" or "--name=VALUE". */
static int parse_long(struct parser *parser, const char *word, struct err *err)
{
	const char *name = word + 2;
	const size_t length = strcspn(name, "=");
	const char *value = name[length] ? name + length + 1 : NULL;
	const int at = parser->next - 1;
	size_t table = 0;
	const struct option *begun, *option = find_long(parser, name, length, &table, &begun);
	int r;

	if (!option) {
		cleanup_free char *shown = strndup(word, length + 2);

		if (shown && begun)
			return err_set(err, -EINVAL, "option '%s' may be '--%s' or another; write it out", shown,
				       begun->name);
		return shown ? unknown(parser, shown, err) : err_nomem(err);
	}
	if (option->kind == OPTION_FLAG && value)
		return err_set(err, -EINVAL, "option '--%s' takes no value, got '%s'", option->name, value);
	if (option->kind == OPTION_MAYBE && value && !*value)
		return err_set(err, -EINVAL, "option '--%s': the value is empty", option->name);
	if (option->kind == OPTION_MAYBE && !value) {
		value = "";
	} else if (option->kind != OPTION_FLAG && !value) {
		if (parser->next == parser->argc)
			return err_set(err, -EINVAL, "option '--%s' needs a value: --%s %s", option->name, option->name,
				       option->argument);
		value = parser->argv[parser->next++];
	}
	r = take_value(option, value, parser->options, err);
	if (r == 0)
		mark_given(parser, table, &(struct option_given){ option, value, at });
	return r;
}

/* "-q", or several letters behind one dash. Letters are flags only. */
static int parse_letters(struct parser *parser, const char *word, struct err *err)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const struct option *option = NULL;
		size_t table = 0;

		for (; parser->tables[table]; table++) {
			const struct option_table *t = parser->tables[table];

			for (size_t i = 0; i < t->count && !option; i++) {
				if (t->rows[i].letter == *letter)
					option = &t->rows[i];
			}
			if (option)
				break;
		}
		if (!option)
			return unknown(parser, word, err);
		*(bool *)((char *)parser->options + option->offset) = true;
		mark_given(parser, table, &(struct option_given){ option, NULL, parser->next - 1 });
	}
	return 0;
}

int option_parse(const struct option_table *const *tables, const char *command, int argc, const char *const *argv,
		 void *options, struct option_found *ret_found, struct err *err)
{
	struct option_found found = { 0 };
	struct parser parser = { tables, command, argc, 0, argv, options, &found };
	int r = 0;

	while (parser.next < argc && r == 0) {
		const char *word = argv[parser.next];

		if (word[0] != '-' || !word[1])
			break;
		parser.next++;
		if (strcmp(word, "--") == 0)
			break;
		r = word[1] == '-' ? parse_long(&parser, word, err) : parse_letters(&parser, word, err);
	}
	if (r < 0)
		return r;
	found.next = parser.next;
	*ret_found = found;
	return 0;
}

const struct option_given *option_given(const struct option_found *found, const char *name)
{
	for (size_t i = 0; i < found->given_count; i++) {
		if (strcmp(found->given[i].option->name, name) == 0)
			return &found->given[i];
	}
	return NULL;
}

void option_texts_clear(struct option_texts *texts)
{
	free(texts->items);
	*texts = (struct option_texts){ 0 };
}
