/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/libraries_text.h"

#include "base/text.h"
#include "cli/colour.h"
#include "target/libraries.h"

#include <stdint.h>
#include <string.h>

enum { WIDTH = 80, BEFORE_PATH = 44 };

/* At most `room` columns of a path: whole, or its last parts, or the end of a last part that is too long itself. */
static void add_path(struct text *text, const char *path, size_t room)
{
	static const char cut[] = "...";
	const size_t length = strlen(path);
	const char *rest, *slash;

	if (length <= room) {
		text_add(text, "%s", path);
		return;
	}
	rest = path + length - (room - strlen(cut));
	slash = strchr(rest, '/');
	text_add(text, "%s%s", cut, slash ? slash : rest);
}

static void add_header(const struct libraries *libraries, bool whole, const struct colour *colour, struct text *text)
{
	const struct python *python = libraries->python;

	text_add(text, "\n%sLibraries%s ", colour->bold, colour->off);
	if (!libraries->program) {
		text_add(text, "that any program's loader finds\n");
		return;
	}
	text_add(text, "of ");
	add_path(text, libraries->program, whole ? SIZE_MAX : WIDTH - strlen("Libraries of "));
	text_add(text, "\n");
	if (libraries->chosen_by)
		text_add(text, "  chosen by %s\n", libraries->chosen_by);
	if (libraries->note)
		text_add(text, "  %s\n", libraries->note);
	if (python) {
		text_add(text, "  Python %s, %s ", python->version ? python->version : "of unknown version",
			 python_kinds[python->kind]);
		add_path(text, python->prefix, whole ? SIZE_MAX : WIDTH / 2);
		text_add(text, "\n");
	}
}

static void add_library(const struct library *library, bool whole, struct text *text)
{
	const char *state = library->in_charge   ? "in charge"
			    : library->loaded_by ? "loaded"
			    : library->usable    ? "usable"
						 : "unusable";

	text_add(text, "%-18s%-11s", library->name, state);
	if (!whole) {
		add_path(text, library->path, WIDTH - BEFORE_PATH + 1);
		text_add(text, "\n");
		return;
	}
	text_add(text, "%s\n", library->path);
	text_add(text, "%13sfound: %s\n", "", library->found);
	if (library->loaded_by)
		text_add(text, "%13sloaded by: %s\n", "", library->loaded_by);
	if (library->why_not)
		text_add(text, "%13swhy not: %s\n", "", library->why_not);
}

void libraries_text(const struct libraries *libraries, bool whole, const struct colour *colour, struct text *text)
{
	add_header(libraries, whole, colour, text);
	for (unsigned family = 0; family < LIBRARY_FAMILY_COUNT; family++) {
		const char *nobody = libraries->nobody[family];
		bool begun = false;

		/* Without a program nobody could be in charge: not worth a line for each family. */
		if (libraries->program && nobody && (family == LIBRARY_OPENMP || family == LIBRARY_ALLOCATOR)) {
			text_add(text, "  %-11s%s\n", library_families[family], nobody);
			begun = true;
		}
		for (size_t i = 0; i < libraries->count; i++) {
			const struct library *library = &libraries->items[i];

			if (library->family != (enum library_family)family || (!whole && !library->usable))
				continue;
			text_add(text, "  %-11s", begun ? "" : library_families[family]);
			add_library(library, whole, text);
			begun = true;
		}
		if (!begun)
			text_add(text, "  %-11snone %s\n", library_families[family], whole ? "found" : "usable");
	}
	if (libraries->cache_broken)
		text_add(text, "  /etc/ld.so.cache cannot be read: what only it knows is missing here\n");
}
