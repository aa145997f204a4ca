/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/lscpu_parts.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <string.h>

enum { FIELDS_MAX = 64 };

/* A column of the table being read. */
struct column {
	struct lscpu_field field;
	size_t start, end; /* of its name in the header: `-e` lines cells up with it */
};

enum form {
	FORM_SUMMARY, /* no table */
	FORM_COMMAS,  /* -p */
	FORM_ALIGNED, /* -e */
};

struct reader {
	struct lscpu *lscpu;
	struct lscpu_table *table;
	enum form form;
	struct column columns[FIELDS_MAX];
	size_t column_count;
	size_t cpu_column;
	bool headless;        /* the columns behind ours have no names */
	size_t certain_count; /* columns in front of those that may be left out without a trace */
	struct err *err;
};

/* A piece of a line; the line is cut up in place. */
struct piece {
	char *text;
	size_t start, end;
};

static size_t split_words(char *line, struct piece pieces[FIELDS_MAX + 1])
{
	size_t count = 0, at = 0;

	for (;;) {
		at += strspn(line + at, " \t");
		if (!line[at] || count > FIELDS_MAX)
			return count;
		pieces[count].text = line + at;
		pieces[count].start = at;
		at += strcspn(line + at, " \t");
		pieces[count++].end = at;
		if (line[at])
			line[at++] = '\0';
	}
}

static size_t split_commas(char *line, struct piece pieces[FIELDS_MAX + 1])
{
	size_t count = 0;
	char *rest = line;

	while (rest && count <= FIELDS_MAX)
		pieces[count++] = (struct piece){ .text = lscpu_trim(strsep(&rest, ",")) };
	return count;
}

/* Begin the table whose header's names are `pieces`. */
static int begin(struct reader *reader, enum form form, const struct piece *pieces, size_t count)
{
	size_t cpu_columns = 0;

	if (count > FIELDS_MAX)
		return err_set(reader->err, -EINVAL, "more than %d columns", FIELDS_MAX);
	for (size_t i = 0; i < count; i++) {
		reader->columns[i] = (struct column){ lscpu_field_of(pieces[i].text), pieces[i].start, pieces[i].end };
		if (reader->columns[i].field.kind == LSCPU_CPU) {
			reader->cpu_column = i;
			cpu_columns++;
		}
	}
	if (cpu_columns != 1)
		return err_set(reader->err, -EINVAL, "%zu CPU columns", cpu_columns);
	reader->headless = false;
	reader->column_count = count;
	reader->certain_count = count;
	/* Plain `lscpu -p` has a column without a name, and caches behind it. */
	for (size_t i = 0; form == FORM_COMMAS && i < count && reader->certain_count == count; i++) {
		if (!*pieces[i].text)
			reader->certain_count = i + 1;
	}
	reader->form = form;
	reader->table = lscpu_add_table(reader->lscpu, reader->err);
	return reader->table ? 0 : reader->err->code;
}

static int take_row(struct reader *reader, const char *const cells[FIELDS_MAX])
{
	struct lscpu_row *row = lscpu_add_row(reader->table, cells[reader->cpu_column], reader->err);
	int r = row ? 0 : reader->err->code;

	for (size_t i = 0; i < reader->column_count && r == 0; i++)
		r = lscpu_set_cell(reader->table, row, &reader->columns[i].field, cells[i], reader->err);
	return r;
}

static int wrong_count(struct reader *reader, size_t count)
{
	return err_set(reader->err, -EINVAL, "%zu cells under %zu columns", count, reader->column_count);
}

/*
 * A locale's decimal comma cuts a frequency in two: with too many pieces they are what is one too many.
 * A cache that a CPU does not have is left out by plain `lscpu -p`, comma and all: which one is missing nobody can
 * tell, so that the caches of this CPU are not known.
 */
static int commas_row(struct reader *reader, char *line)
{
	struct piece pieces[FIELDS_MAX + 1];
	const char *cells[FIELDS_MAX] = { NULL };
	const size_t all = split_commas(line, pieces);
	const size_t count = reader->headless && all > reader->column_count ? reader->column_count : all;
	const bool gap = count < reader->column_count;
	const size_t certain = gap ? reader->certain_count : reader->column_count;
	size_t next = 0, excess = gap ? 0 : count - reader->column_count;

	if (count < certain || count > FIELDS_MAX)
		return wrong_count(reader, count);
	for (size_t i = 0; i < reader->column_count; i++) {
		if (i >= certain) {
			cells[i] = "";
			continue;
		}
		if (next >= count)
			return wrong_count(reader, count);
		cells[i] = pieces[next++].text;
		if (excess && *cells[i] && lscpu_field_is_decimal(&reader->columns[i].field)) {
			next++;
			excess--;
		}
	}
	return excess ? wrong_count(reader, count) : take_row(reader, cells);
}

/* The last column that begins before the cell ends: names and cells of a column share an edge. */
static size_t column_at(const struct reader *reader, const struct piece *piece)
{
	size_t at = 0;

	for (size_t i = 0; i < reader->column_count; i++) {
		if (reader->columns[i].start < piece->end)
			at = i;
	}
	return at;
}

/* As many words as columns: one each. Else a model's name has blanks, or cells are empty, and the alignment tells. */
static int aligned_row(struct reader *reader, char *line)
{
	struct piece pieces[FIELDS_MAX + 1];
	const char *cells[FIELDS_MAX];
	const size_t count = split_words(line, pieces);

	if (count > FIELDS_MAX)
		return wrong_count(reader, count);
	for (size_t i = 0; i < FIELDS_MAX; i++)
		cells[i] = count == reader->column_count && i < count ? pieces[i].text : "";
	for (size_t i = 0; i < count && count != reader->column_count; i++) {
		const size_t at = column_at(reader, &pieces[i]);

		if (*cells[at] && reader->columns[at].field.kind != LSCPU_TEXT)
			return wrong_count(reader, count);
		cells[at] = pieces[i].text;
	}
	return take_row(reader, cells);
}

/* "CPU NODE SOCKET ...": names only, CPU among them, where the summary has "CPU(s):" and "CPU max MHz:". */
static bool is_header(const char *line)
{
	bool cpu = false;

	while (*line) {
		const size_t length = strcspn(line, " \t");

		if (length && (line[length - 1] == ':' || (*line >= '0' && *line <= '9')))
			return false;
		cpu |= length == 3 && memcmp(line, "CPU", 3) == 0;
		line += length;
		line += strspn(line, " \t");
	}
	return cpu;
}

/* "# CPU,Core,Socket,Node,,L1d": a comment with CPU between commas. */
static bool is_commas_header(const char *comment)
{
	while (*comment) {
		const size_t length = strcspn(comment, ",");

		if (length == 3 && memcmp(comment, "CPU", 3) == 0)
			return true;
		comment += length;
		comment += *comment == ',';
	}
	return false;
}

/* Rows without their header: only those of plain `lscpu -p` are told by the empty fifth column. */
static bool is_headless_row(const char *line)
{
	size_t commas = 0;

	if (line[strspn(line, "0123456789,-")])
		return false;
	for (const char *c = line; *c; c++) {
		commas += *c == ',';
		if (commas == 4 && *c == ',')
			return c[1] == ',';
	}
	return false;
}

static int begin_headless(struct reader *reader)
{
	char header[] = "CPU,Core,Socket,Node,";
	struct piece pieces[FIELDS_MAX + 1];
	int r = begin(reader, FORM_COMMAS, pieces, split_commas(header, pieces));

	reader->headless = true;
	return r;
}

static int take_comment(struct reader *reader, char *comment)
{
	struct piece pieces[FIELDS_MAX + 1];

	if (!is_commas_header(comment))
		return 0;
	return begin(reader, FORM_COMMAS, pieces, split_commas(comment, pieces));
}

/* "Key:   value". Newer versions draw a tree with blanks. Other lines are somebody's notes. */
static int take_field(struct reader *reader, char *line)
{
	char *const colon = strchr(line, ':');

	if (!colon)
		return 0;
	*colon = '\0';
	return lscpu_set_summary(reader->lscpu, lscpu_trim(line), lscpu_trim(colon + 1), reader->err);
}

static int take_line(struct reader *reader, char *line)
{
	struct piece pieces[FIELDS_MAX + 1];
	const char *const content = line + strspn(line, " \t\r");
	const char *const colon = strchr(content, ':');

	if (!*content || *content == '#') {
		reader->form = FORM_SUMMARY;
		return *content ? take_comment(reader, lscpu_trim(line + (content - line) + 1)) : 0;
	}
	if (is_header(content))
		return begin(reader, FORM_ALIGNED, pieces, split_words(line, pieces));
	/* A field may follow a table at once; in a cell a colon stands between numbers. */
	if (colon && (!colon[1] || strchr(" \t\r", colon[1])))
		reader->form = FORM_SUMMARY;
	if (reader->form == FORM_ALIGNED)
		return aligned_row(reader, line);
	if (reader->form == FORM_COMMAS)
		return commas_row(reader, line);
	return take_field(reader, line);
}

static int parse_lines(char *text, struct lscpu *lscpu, struct err *err)
{
	struct reader reader = { .lscpu = lscpu, .err = err };
	unsigned number = 0;

	while (text) {
		char *const line = strsep(&text, "\n");
		int r = 0;

		number++;
		if (reader.form == FORM_SUMMARY && is_headless_row(line))
			r = begin_headless(&reader);
		if (r == 0)
			r = take_line(&reader, line);
		if (r < 0)
			return err_wrap(err, "line %u", number);
	}
	return 0;
}

int lscpu_parse(const char *text, size_t length, struct lscpu *ret_lscpu, struct err *err)
{
	cleanup_lscpu struct lscpu lscpu = { .tables = NULL };
	cleanup_free char *copy = NULL;
	int r;

	if (memchr(text, '\0', length))
		return err_set(err, -EINVAL, "not a text");
	if (text[strspn(text, " \t\r\n")] == '{') {
		r = lscpu_parse_json(text, length, &lscpu, err);
	} else {
		copy = strdup(text);
		r = copy ? parse_lines(copy, &lscpu, err) : err_nomem(err);
	}
	if (r < 0)
		return r;
	*ret_lscpu = lscpu;
	lscpu = (struct lscpu){ .tables = NULL };
	return 0;
}

void lscpu_clear(struct lscpu *lscpu)
{
	for (size_t i = 0; i < lscpu->table_count; i++) {
		hwloc_bitmap_free(lscpu->tables[i].seen);
		free(lscpu->tables[i].rows);
	}
	for (size_t i = 0; i < lscpu->node_count; i++)
		hwloc_bitmap_free(lscpu->nodes[i].pus_os);
	hwloc_bitmap_free(lscpu->online);
	hwloc_bitmap_free(lscpu->in_nodes);
	free(lscpu->tables);
	free(lscpu->nodes);
	free(lscpu->model);
	free(lscpu->architecture);
	*lscpu = (struct lscpu){ .tables = NULL };
}
