/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/lscpu_parts.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"

#include <string.h>
#include <strings.h>

/* More tables than lscpu has ways to print them: somebody means us harm. */
enum { TABLES_MAX = 16 };

static const struct {
	const char *name;
	int kind;
	enum lscpu_column column;
} names[] = {
	{ "CPU", LSCPU_CPU, LSCPU_COLUMNS },
	{ "CORE", LSCPU_VALUE, LSCPU_CORE },
	{ "SOCKET", LSCPU_VALUE, LSCPU_SOCKET },
	{ "BOOK", LSCPU_VALUE, LSCPU_BOOK },
	{ "DRAWER", LSCPU_VALUE, LSCPU_DRAWER },
	{ "NODE", LSCPU_VALUE, LSCPU_NODE },
	{ "L1d", LSCPU_VALUE, LSCPU_L1 },
	{ "L1", LSCPU_VALUE, LSCPU_L1 },
	{ "L2", LSCPU_VALUE, LSCPU_L2 },
	{ "L3", LSCPU_VALUE, LSCPU_L3 },
	{ "L4", LSCPU_VALUE, LSCPU_L4 },
	{ "ONLINE", LSCPU_VALUE, LSCPU_ONLINE },
	{ "MAXMHZ", LSCPU_VALUE, LSCPU_MAX_MHZ },
	{ "MINMHZ", LSCPU_DECIMAL, LSCPU_COLUMNS },
	{ "MHZ", LSCPU_DECIMAL, LSCPU_COLUMNS },
	{ "BOGOMIPS", LSCPU_DECIMAL, LSCPU_COLUMNS },
	{ "MODELNAME", LSCPU_TEXT, LSCPU_COLUMNS },
};

static struct lscpu_field simple_field(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i].name) == length && strncasecmp(names[i].name, name, length) == 0)
			return (struct lscpu_field){ .kind = names[i].kind, .column = names[i].column };
	}
	return (struct lscpu_field){ .kind = LSCPU_IGNORED, .column = LSCPU_COLUMNS };
}

struct lscpu_field lscpu_field_of(const char *name)
{
	struct lscpu_field field = { .kind = LSCPU_CACHES, .column = LSCPU_COLUMNS };

	if (!strchr(name, ':'))
		return simple_field(name, strlen(name));
	while (*name && field.cache_count < ARRAY_SIZE(field.caches)) {
		const size_t length = strcspn(name, ":");

		field.caches[field.cache_count++] = simple_field(name, length).column;
		name += length;
		name += *name == ':';
	}
	return field;
}

bool lscpu_field_is_decimal(const struct lscpu_field *field)
{
	return field->kind == LSCPU_DECIMAL || (field->kind == LSCPU_VALUE && field->column == LSCPU_MAX_MHZ);
}

char *lscpu_trim(char *text)
{
	size_t length;

	text += strspn(text, " \t\r");
	length = strlen(text);
	while (length && strchr(" \t\r", text[length - 1]))
		text[--length] = '\0';
	return text;
}

struct lscpu_table *lscpu_add_table(struct lscpu *lscpu, struct err *err)
{
	struct lscpu_table *grown;

	if (lscpu->table_count == TABLES_MAX) {
		(void)err_set(err, -EINVAL, "more than %d tables", TABLES_MAX);
		return NULL;
	}
	grown = array_grow(lscpu->tables, &lscpu->table_capacity, lscpu->table_count, sizeof(*grown));
	if (grown) {
		lscpu->tables = grown;
		grown[lscpu->table_count] = (struct lscpu_table){ .seen = hwloc_bitmap_alloc() };
		if (grown[lscpu->table_count].seen)
			return &grown[lscpu->table_count++];
	}
	(void)err_nomem(err);
	return NULL;
}

struct lscpu_row *lscpu_add_row(struct lscpu_table *table, const char *text, struct err *err)
{
	struct lscpu_row *grown;
	unsigned os;

	if (parse_unsigned(text, &os) < 0 || os >= CPULIST_MAX) {
		(void)err_set(err, -EINVAL, "'%.40s' is no CPU number", text);
		return NULL;
	}
	if (hwloc_bitmap_isset(table->seen, os)) {
		(void)err_set(err, -EINVAL, "CPU %u stands there twice", os);
		return NULL;
	}
	grown = array_grow(table->rows, &table->capacity, table->count, sizeof(*grown));
	if (grown)
		table->rows = grown;
	if (!grown || hwloc_bitmap_set(table->seen, os) < 0) {
		(void)err_nomem(err);
		return NULL;
	}
	grown += table->count++;
	grown->os = os;
	for (size_t i = 0; i < LSCPU_COLUMNS; i++)
		grown->cells[i] = LSCPU_EMPTY;
	return grown;
}

/* "3700.0000", with a comma where the locale has one: whole MHz. */
static int parse_mhz(const char *text, int64_t *ret_value)
{
	const size_t whole = strcspn(text, ".,");
	char digits[16];
	unsigned mhz;

	if (whole >= sizeof(digits) || (text[whole] && text[whole + 1 + strspn(text + whole + 1, "0123456789")]))
		return -EINVAL;
	memcpy(digits, text, whole);
	digits[whole] = '\0';
	if (parse_unsigned(digits, &mhz) < 0)
		return -EINVAL;
	*ret_value = mhz;
	return 0;
}

static int parse_online(const char *text, int64_t *ret_value)
{
	static const char *const words[][4] = { { "no", "n", "false", "0" }, { "yes", "y", "true", "1" } };

	for (size_t value = 0; value < ARRAY_SIZE(words); value++) {
		for (size_t i = 0; i < ARRAY_SIZE(words[value]); i++) {
			if (strcasecmp(text, words[value][i]) == 0) {
				*ret_value = (int64_t)value;
				return 0;
			}
		}
	}
	return -EINVAL;
}

static int parse_id(const char *text, int64_t *ret_value)
{
	uint64_t value;

	if (parse_u64(text, &value) < 0 || value > INT64_MAX)
		return -EINVAL;
	*ret_value = (int64_t)value;
	return 0;
}

static int set_value(struct lscpu_table *table, struct lscpu_row *row, enum lscpu_column column, const char *text,
		     struct err *err)
{
	int r;

	if (column == LSCPU_COLUMNS)
		return 0;
	table->has[column] = true;
	/* Some ARM kernels have -1 for a socket they do not know. */
	if (!*text || strcmp(text, "-") == 0 || strcmp(text, "-1") == 0)
		return 0;
	if (column == LSCPU_ONLINE)
		r = parse_online(text, &row->cells[column]);
	else if (column == LSCPU_MAX_MHZ)
		r = parse_mhz(text, &row->cells[column]);
	else
		r = parse_id(text, &row->cells[column]);
	if (r < 0 || (column == LSCPU_NODE && row->cells[column] >= CPULIST_MAX))
		return err_set(err, -EINVAL, "CPU %u: '%.40s' cannot be understood", row->os, text);
	return 0;
}

static size_t count_colons(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == ':';
	return count;
}

/*
 * "0:0:0:0", "0:0::-", or one "-" for all of them. A CPU without one of the caches (the low-power cores of Arrow Lake
 * have no L3) has a part less, and which one nobody can tell: its caches are not known.
 */
static int set_caches(struct lscpu_table *table, struct lscpu_row *row, const struct lscpu_field *field,
		      const char *text, struct err *err)
{
	const bool none = !*text || strcmp(text, "-") == 0 || count_colons(text) + 1 < field->cache_count;

	for (size_t i = 0; i < field->cache_count; i++) {
		const size_t length = none ? 0 : strcspn(text, ":");
		char cell[24];
		int r;

		if (length >= sizeof(cell) || (!none && !text[length] != (i + 1 == field->cache_count)))
			return err_set(err, -EINVAL, "CPU %u: the caches cannot be understood", row->os);
		memcpy(cell, text, length);
		cell[length] = '\0';
		r = set_value(table, row, field->caches[i], cell, err);
		if (r < 0)
			return r;
		text += length;
		text += *text == ':';
	}
	return 0;
}

int lscpu_set_cell(struct lscpu_table *table, struct lscpu_row *row, const struct lscpu_field *field, const char *text,
		   struct err *err)
{
	switch (field->kind) {
	case LSCPU_VALUE:
		return set_value(table, row, field->column, text, err);
	case LSCPU_CACHES:
		return set_caches(table, row, field, text, err);
	case LSCPU_IGNORED:
	case LSCPU_CPU:
	case LSCPU_DECIMAL:
	case LSCPU_TEXT:
		break;
	}
	return 0;
}
