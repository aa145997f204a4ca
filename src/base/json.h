/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every `_to_json` and `_from_json` needs beyond jansson: number sets as
 * list text, facts as number-or-null, and readers that name the key that is wrong.
 *
 * Writers: jansson's *_set_new functions take NULL values and report -1, so a
 * document is built in one expression of `|` and checked once.
 */
#pragma once

#include <hwloc/bitmap.h>
#include <jansson.h>

struct err;
struct fact;
struct words;

/* {"key": "0-3,8"}. Returns 0 or -1. */
int json_set_list(json_t *object, const char *key, hwloc_const_bitmap_t set);

/* {"key": 123}, or null when the fact is absent or unknown; an unknown one is also named in `unknown`
 * (an array, may be NULL). Returns 0 or -1. */
int json_set_fact(json_t *object, const char *key, const struct fact *fact, json_t *unknown);

/* A string of any bytes: JSON is UTF-8; names of files and cgroups, and texts of a foreign file, need not be. What is
 * not ASCII becomes '?' then. NULL when memory ran out. */
json_t *json_any_text(const char *text);

/* The same, or null for NULL. */
json_t *json_optional_text(const char *text);

/* Texts as an array of such strings; NULL words are none. NULL when memory ran out. */
json_t *json_words(const struct words *words);

/* A value once everything was set in it: the value when `r` is 0; else it is freed and NULL returned. */
json_t *json_finish(json_t *value, int r);

/* Readers: 0, or -EINVAL naming the key when it is missing or of another type. */
int json_get_text(const json_t *object, const char *key, const char **ret_text, struct err *err);
int json_get_unsigned(const json_t *object, const char *key, unsigned *ret_value, struct err *err);
int json_get_array(const json_t *object, const char *key, json_t **ret_array, struct err *err);
/* The caller frees `*ret_set`. */
int json_get_list(const json_t *object, const char *key, hwloc_bitmap_t *ret_set, struct err *err);
