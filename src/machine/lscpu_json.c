/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/lscpu_parts.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <jansson.h>
#include <string.h>

/* The tree of newer versions is two deep. */
enum { DEPTH_MAX = 8 };

static void cleanup_json_(json_t **json)
{
	json_decref(*json);
}
#define cleanup_json cleanup_(cleanup_json_)

/*
 * util-linux before 2.33 wrote a bare - where it had no value: {"maxmhz": -, ...}, which is no JSON.
 * A copy with null in its place; NULL when memory ran out.
 */
static char *mend(const char *text, size_t length)
{
	char *mended, *to;
	size_t dashes = 0;
	bool quoted = false;

	for (size_t i = 0; i < length; i++)
		dashes += text[i] == '-';
	mended = malloc(length + 3 * dashes + 1);
	if (!mended)
		return NULL;
	to = mended;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		if (quoted && text[i] == '\\' && i + 1 < length)
			*to++ = text[i++];
		if (!quoted && text[i] == '-' && !(text[i + 1] >= '0' && text[i + 1] <= '9'))
			to = mempcpy(to, "null", 4);
		else
			*to++ = text[i];
	}
	*to = '\0';
	return mended;
}

/* Any scalar as the text the other forms have. The caller frees it; NULL when memory ran out. */
static char *text_of(const json_t *value)
{
	char *text = NULL;

	switch (json_typeof(value)) {
	case JSON_STRING:
		return strdup(json_string_value(value));
	case JSON_INTEGER:
		return asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) < 0 ? NULL : text;
	case JSON_REAL:
		return asprintf(&text, "%.0f", json_real_value(value)) < 0 ? NULL : text;
	case JSON_TRUE:
		return strdup("yes");
	case JSON_FALSE:
		return strdup("no");
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return strdup("");
}

/* The CPU's number first, so that the other cells have a row. */
static int take_cpu(struct lscpu_table *table, json_t *object, struct err *err)
{
	struct lscpu_row *row = NULL;
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		cleanup_free char *text = lscpu_field_of(name).kind == LSCPU_CPU ? text_of(value) : NULL;

		if (!text)
			continue;
		row = lscpu_add_row(table, text, err);
		if (!row)
			return err->code;
	}
	if (!row)
		return err_set(err, -EINVAL, "a CPU without a number");
	json_object_foreach(object, name, value)
	{
		const struct lscpu_field field = lscpu_field_of(name);
		cleanup_free char *text = text_of(value);
		int r = text ? lscpu_set_cell(table, row, &field, text, err) : err_nomem(err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* `-J -e`: {"cpus": [{"cpu": 0, "node": 0, ...}]} */
static int take_cpus(const json_t *cpus, struct lscpu *lscpu, struct err *err)
{
	struct lscpu_table *const table = lscpu_add_table(lscpu, err);
	json_t *item;
	size_t i;

	if (!table)
		return err->code;
	json_array_foreach(cpus, i, item)
	{
		int r = json_is_object(item) ? take_cpu(table, item, err)
					     : err_set(err, -EINVAL, "a CPU that is no object");

		if (r < 0)
			return r;
	}
	return 0;
}

/* `-J`: {"lscpu": [{"field": "CPU(s):", "data": "2", "children": [...]}]} */
static int take_fields(const json_t *fields, unsigned depth, struct lscpu *lscpu, struct err *err)
{
	const json_t *item;
	size_t i;

	if (depth > DEPTH_MAX)
		return err_set(err, -EINVAL, "fields nest too deep");
	json_array_foreach(fields, i, item)
	{
		const char *const key = json_string_value(json_object_get(item, "field"));
		const json_t *const data = json_object_get(item, "data");
		cleanup_free char *name = key ? strdup(key) : NULL;
		cleanup_free char *value = data ? text_of(data) : NULL;
		int r = 0;

		if (name && value) {
			name[strcspn(name, ":")] = '\0';
			r = lscpu_set_summary(lscpu, lscpu_trim(name), lscpu_trim(value), err);
		}
		if (r == 0)
			r = take_fields(json_object_get(item, "children"), depth + 1, lscpu, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int lscpu_parse_json(const char *text, size_t length, struct lscpu *lscpu, struct err *err)
{
	cleanup_free char *mended = mend(text, length);
	const char *next = mended;

	if (!mended)
		return err_nomem(err);
	for (next += strspn(next, " \t\r\n"); *next; next += strspn(next, " \t\r\n")) {
		json_error_t where;
		cleanup_json json_t *document = json_loads(next, JSON_DISABLE_EOF_CHECK, &where);
		const json_t *cpus = json_object_get(document, "cpus");
		int r;

		if (!document)
			return err_set(err, -EINVAL, "line %d is no JSON", where.line);
		r = take_fields(json_object_get(document, "lscpu"), 0, lscpu, err);
		if (r == 0 && cpus)
			r = take_cpus(cpus, lscpu, err);
		if (r < 0)
			return r;
		next += where.position;
	}
	return 0;
}
