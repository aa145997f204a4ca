/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/host_table.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

static json_t *words_to_json(const char *words)
{
	json_t *array = json_array();

	for (const char *word = words + strspn(words, " "); *word; word += strspn(word, " ")) {
		const size_t length = strcspn(word, " ");

		if (json_array_append_new(array, json_stringn(word, length)) < 0) {
			json_decref(array);
			return NULL;
		}
		word += length;
	}
	return array;
}

static json_t *value_to_json(const struct host_row *row, const struct fact *fact)
{
	if (fact->state != FACT_KNOWN)
		return json_null();
	switch (row->form) {
	case HOST_FORM_FLAG:
		return json_boolean(fact->value);
	case HOST_FORM_MILLI:
		return json_real((double)fact->value / 1000);
	case HOST_FORM_TEXT:
	case HOST_FORM_LIST:
		return json_any_text(fact->raw);
	case HOST_FORM_WORDS:
		return words_to_json(fact->raw);
	case HOST_FORM_NUMBER:
	case HOST_FORM_BYTES:
		break;
	}
	return json_integer((json_int_t)fact->value);
}

/* As the evidence of "allowed"; of what is unknown, why. The text of a counter would say its value once more, and make
 * each look at one and the same machine another document. */
static json_t *evidence_to_json(const struct host_row *row, const struct fact *fact)
{
	json_t *item = json_object();
	const bool unknown = fact->state == FACT_UNKNOWN;
	int r = json_object_set_new(item, "fact", json_string(row->name));

	r |= json_object_set_new(item, "path", json_any_text(fact->source));
	if (row->moves)
		r |= json_object_set_new(item, "moves", json_true());
	else
		r |= json_object_set_new(item, "value", fact->raw && !unknown ? json_any_text(fact->raw) : json_null());
	if (unknown && (fact->raw || !row->moves))
		r |= json_object_set_new(item, "why", fact->raw ? json_any_text(fact->raw) : json_null());
	return json_finish(item, r);
}

static json_t *pools_to_json(const struct host *host)
{
	json_t *pools = json_array();
	int r = 0;

	for (size_t i = 0; i < host->pool_count; i++) {
		const struct host_pool *pool = &host->pools[i];

		r |= json_array_append_new(pools,
					   json_pack("{sIsIsI}", "page_bytes", (json_int_t)pool->page_bytes, "pages",
						     (json_int_t)pool->pages, "free", (json_int_t)pool->free_pages));
	}
	return json_finish(pools, r);
}

json_t *host_to_json(const struct host *host, json_t *unknown)
{
	static const struct fact silent = { .state = FACT_UNKNOWN };
	json_t *object = json_object(), *evidence = json_array();
	int r = 0;

	for (unsigned i = 0; i < HOST_FACT_COUNT; i++) {
		const struct fact *fact = host ? &host->facts[i] : &silent;
		const struct host_row *row = &host_rows[i];

		r |= json_object_set_new(object, row->name, value_to_json(row, fact));
		if (fact->state == FACT_UNKNOWN)
			r |= json_array_append_new(unknown, json_string(row->name));
		if (i == HOST_HUGETLB)
			r |= json_object_set_new(object, "hugetlb_pools",
						 host && fact->state == FACT_KNOWN ? pools_to_json(host) : json_null());
		if (fact->source)
			r |= json_array_append_new(evidence, evidence_to_json(row, fact));
	}
	r |= json_object_set_new(object, "evidence", evidence);
	return json_finish(object, r);
}
