/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the readers of lscpu's forms share: what a column's name means, how its cells read, and
 * the fields of the summary.
 */
#pragma once

#include "machine/lscpu_parse.h"

/* A column as its header names it. */
struct lscpu_field {
	enum {
		LSCPU_IGNORED, /* tells nothing we need */
		LSCPU_CPU,
		LSCPU_VALUE,
		LSCPU_DECIMAL, /* ignored, but may hold a decimal comma */
		LSCPU_TEXT,    /* ignored, but may hold blanks */
		LSCPU_CACHES,  /* "L1d:L1i:L2:L3" */
	} kind;
	enum lscpu_column column;
	enum lscpu_column caches[8]; /* LSCPU_COLUMNS: of no use to us */
	size_t cache_count;
};

/* What the column `name` holds; of a name not known that it is ignored. */
struct lscpu_field lscpu_field_of(const char *name);

/* Whether a decimal comma may cut the field in two. */
bool lscpu_field_is_decimal(const struct lscpu_field *field);

/* Begin a table. NULL when memory ran out or there are too many of them (`err` says which). */
struct lscpu_table *lscpu_add_table(struct lscpu *lscpu, struct err *err);

/* Add an empty row for CPU `text`. NULL: no CPU number, or one the table has already. */
struct lscpu_row *lscpu_add_row(struct lscpu_table *table, const char *text, struct err *err);

/* Put a cell's text into the row. Returns 0 or -EINVAL. */
int lscpu_set_cell(struct lscpu_table *table, struct lscpu_row *row, const struct lscpu_field *field, const char *text,
		   struct err *err);

/* Take a field of the summary; what is not known is skipped. Returns 0, -EINVAL or -ENOMEM. */
int lscpu_set_summary(struct lscpu *lscpu, const char *key, const char *value, struct err *err);

/* Read JSON (`-J`), old and new, one document or several. Returns 0, -EINVAL or -ENOMEM. */
int lscpu_parse_json(const char *text, size_t length, struct lscpu *lscpu, struct err *err);

/* The text without blanks at either end, cut off in place. */
char *lscpu_trim(char *text);
