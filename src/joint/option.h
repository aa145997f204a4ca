/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Option tables. One row says everything about an option: the same tables
 * parse the command line, print --help, write the shell completions and are
 * held against the man pages. Nothing here knows what an option is for.
 *
 * Forms: --name VALUE, --name=VALUE, -x. No abbreviations, so that a new
 * option never changes what an old script means; only tables of another
 * program's options, which are what they are, take them, and '_' for '-'.
 * Parsing stops at the first word that is no option, or behind "--": what
 * follows belongs to the program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct text;

enum option_kind {
	OPTION_FLAG,    /* bool */
	OPTION_COUNT,   /* unsigned, at least 1 */
	OPTION_NUMBER,  /* unsigned, 0 too */
	OPTION_CORES,   /* int: -1, or a count with 0 */
	OPTION_INT,     /* int: any */
	OPTION_PART,    /* struct part: a count with 0, or a percentage */
	OPTION_LIST,    /* const char *: CPU or node list text, not empty */
	OPTION_BYTES,   /* const char *: a number with K, M, G or T */
	OPTION_CPUS,    /* const char *: a positive decimal number */
	OPTION_SECONDS, /* const char *: the same, of seconds */
	OPTION_CHOICE,  /* an enum: index of the word */
	OPTION_TEXT,    /* const char *, not empty */
	OPTION_WORD,    /* const char *, may be empty */
	OPTION_FILE,    /* const char *, a path: completed as one */
	OPTION_TEXTS,   /* struct option_texts: may be repeated */
	OPTION_MAYBE,   /* const char *: a value may follow a '=', and never as the next word; "" where none does */
};

struct option_texts {
	const char **items; /* borrowed from the command line; the array is owned */
	size_t count, capacity;
};

struct option {
	const char *name;     /* without the dashes */
	const char *argument; /* what the value is called in the help, of a MAYBE with its '='; NULL for a flag */
	const char *help;     /* one line; NULL: hidden */
	enum option_kind kind;
	char letter;              /* short form; 0: none */
	size_t offset;            /* where the value goes in the caller's struct */
	size_t given;             /* a bool there that is set when the option is given; 0: none */
	const char *const *words; /* of a choice */
	unsigned word_count;
};

struct option_table {
	const char *group; /* heading in the help */
	const struct option *rows;
	size_t count;
	bool foreign; /* as Python's argparse reads them: '_' is as good as '-', and what begins one name only is that
			 one */
};

enum { OPTION_TABLES_MAX = 12, OPTION_GIVEN_MAX = 96 };

/* An option that was given: where it stood last, and its value there. */
struct option_given {
	const struct option *option;
	const char *value; /* NULL: a flag */
	int at;            /* index of its first word */
};

struct option_found {
	int next; /* first word that is not ours */
	struct option_given given[OPTION_GIVEN_MAX];
	size_t given_count;
	const struct option *first[OPTION_TABLES_MAX]; /* the first option given of each table, or NULL */
};

/*
 * Parse argv[0..argc) by `tables` (NULL-terminated) into the struct at `options`. Of a repeated option the
 * last counts. `command` names the command in "try 'fettle run --help'"; NULL: fettle itself.
 * Returns 0, -EINVAL with one line naming option and value, -ENOMEM.
 */
int option_parse(const struct option_table *const *tables, const char *command, int argc, const char *const *argv,
		 void *options, struct option_found *ret_found, struct err *err);

/* Must a value follow? */
static inline bool option_takes_value(const struct option *option)
{
	return option->argument && option->kind != OPTION_MAYBE;
}

/* The option of this name that was given, or NULL. */
const struct option_given *option_given(const struct option_found *found, const char *name);

/* Write the options as help, every line within 80 columns. */
void option_help(const struct option_table *const *tables, struct text *text);

/* Append `words` to `text`, wrapped at 80 columns; lines after the first start with `indent` blanks, the first
 * already stands at `column`. */
void option_wrap(struct text *text, const char *words, unsigned column, unsigned indent);

void option_texts_clear(struct option_texts *texts);
