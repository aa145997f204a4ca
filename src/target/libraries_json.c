/* SPDX-License-Identifier: Apache-2.0 */
#include "target/libraries.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "target/loader_machine.h"

#include <string.h>

static const char *const places[] = { "preload", "program", "loader", "package", "environment" };
static const char *const libcs[] = { "unknown", "none", "glibc", "musl", "other" };

/* File names need not be UTF-8: what is not ASCII becomes '?' then. NULL becomes null. */
static json_t *any_text(const char *text)
{
	json_t *string = text ? json_string(text) : json_null();
	cleanup_free char *copy = NULL;

	if (string || !text)
		return string;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	return json_string(copy);
}

static json_t *library_to_json(const struct library *library)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "family", json_string(library_families[library->family]));

	r |= json_object_set_new(object, "name", json_string(library->name));
	r |= json_object_set_new(object, "path", any_text(library->path));
	r |= json_object_set_new(object, "soname", any_text(library->soname));
	r |= json_object_set_new(object, "usable", json_boolean(library->usable));
	r |= json_object_set_new(object, "why_not", any_text(library->why_not));
	r |= json_object_set_new(object, "place", json_string(places[library->place]));
	r |= json_object_set_new(object, "found", any_text(library->found));
	r |= json_object_set_new(object, "package", any_text(library->package));
	r |= json_object_set_new(object, "loaded_by", any_text(library->loaded_by));
	r |= json_object_set_new(object, "in_charge", json_boolean(library->in_charge));
	return json_finish(object, r);
}

json_t *libraries_to_json(const struct libraries *libraries)
{
	json_t *array = json_array();

	for (size_t i = 0; i < libraries->count; i++) {
		if (json_array_append_new(array, library_to_json(&libraries->items[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *python_to_json(const struct python *python)
{
	json_t *object, *sites;
	int r;

	if (!python)
		return json_null();
	object = json_object();
	sites = json_array();
	r = json_object_set_new(object, "kind", json_string(python_kinds[python->kind]));
	r |= json_object_set_new(object, "version", any_text(python->version));
	r |= json_object_set_new(object, "prefix", any_text(python->prefix));
	r |= json_object_set_new(object, "base_prefix", any_text(python->base_prefix));
	for (size_t i = 0; i < python->sites.count; i++)
		r |= json_array_append_new(sites, any_text(python->sites.items[i]));
	r |= json_object_set_new(object, "sites", sites);
	return json_finish(object, r);
}

static const char *in_charge(const struct libraries *libraries, enum library_family family)
{
	for (size_t i = 0; i < libraries->count; i++) {
		if (libraries->items[i].family == family && libraries->items[i].in_charge)
			return libraries->items[i].path;
	}
	return NULL;
}

/* Files at which the loader gives up. */
static int set_stops(const struct libraries *libraries, json_t *object)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < libraries->stop_count; i++) {
		const struct library_stop *stop = &libraries->stops[i];
		json_t *one = json_object();

		r |= json_object_set_new(one, "name", any_text(stop->name));
		r |= json_object_set_new(one, "path", any_text(stop->path));
		r |= json_object_set_new(one, "why", json_string(stop->why));
		r |= json_object_set_new(one, "needed_by", any_text(stop->needed_by));
		r |= json_object_set_new(one, "loaded_by", any_text(stop->who));
		r |= json_array_append_new(array, one);
	}
	return r | json_object_set_new(object, "stopped_at", array);
}

/* What could not be found out, in words. */
static int set_unknown(const struct libraries *libraries, json_t *object)
{
	json_t *unknown = json_array();
	int r = 0;

	if (libraries->cache_broken)
		r |= json_array_append_new(unknown, json_string("/etc/ld.so.cache is there and cannot be read"));
	if (libraries->python && !libraries->python->version)
		r |= json_array_append_new(
			unknown, json_string("the version of Python: not all folders of its packages are known"));
	return r | json_object_set_new(object, "unknown", unknown);
}

json_t *libraries_of_to_json(const struct libraries *libraries)
{
	json_t *object = json_object(), *charge = json_object(), *nobody = json_object();
	char machine[48];
	int r = json_object_set_new(object, "program", any_text(libraries->program));

	r |= json_object_set_new(object, "chosen_by", any_text(libraries->chosen_by));
	r |= json_object_set_new(object, "note", any_text(libraries->note));
	r |= json_object_set_new(object, "libc", json_string(libcs[libraries->libc]));
	r |= json_object_set_new(object, "machine",
				 json_string(loader_machine_name(libraries->machine, libraries->class, libraries->big,
								 machine, sizeof(machine))));
	r |= json_object_set_new(object, "python", python_to_json(libraries->python));
	for (unsigned family = 0; family < LIBRARY_FAMILY_COUNT; family++) {
		r |= json_object_set_new(charge, library_families[family], any_text(in_charge(libraries, family)));
		if (libraries->nobody[family])
			r |= json_object_set_new(nobody, library_families[family],
						 json_string(libraries->nobody[family]));
	}
	r |= json_object_set_new(object, "in_charge", charge);
	r |= json_object_set_new(object, "nobody_in_charge", nobody);
	r |= set_stops(libraries, object);
	r |= set_unknown(libraries, object);
	return json_finish(object, r);
}
