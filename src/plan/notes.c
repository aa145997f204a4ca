/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/notes.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

int plan_note(struct plan_notes *notes, const char *id, const char *evidence, const char *format, ...)
{
	cleanup_free char *id_copy = strdup(id);
	cleanup_free char *text = NULL;
	cleanup_free char *evidence_copy = NULL;
	struct plan_note *grown;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0) {
		text = NULL;
		return -ENOMEM;
	}
	if (!id_copy)
		return -ENOMEM;
	if (evidence) {
		evidence_copy = strdup(evidence);
		if (!evidence_copy)
			return -ENOMEM;
	}
	grown = array_grow(notes->items, &notes->capacity, notes->count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	notes->items = grown;
	grown[notes->count++] =
		(struct plan_note){ .id = TAKE(id_copy), .text = TAKE(text), .evidence = TAKE(evidence_copy) };
	return 0;
}

void plan_notes_clear(struct plan_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++) {
		free(notes->items[i].id);
		free(notes->items[i].text);
		free(notes->items[i].evidence);
	}
	free(notes->items);
	*notes = (struct plan_notes){ .items = NULL };
}
