/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/text.h"
#include "emit/form.h"
#include "machine/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80 };

/* Columns of the indent: tabs stand at every eighth. */
static size_t width_of(const char *indent)
{
	size_t width = 0;

	for (; *indent; indent++)
		width = *indent == '\t' ? (width / 8 + 1) * 8 : width + 1;
	return width;
}

/* How many bytes of `words` go on a line of `room`: whole words, but at least one. */
static size_t line_of(const char *words, size_t room)
{
	size_t end = strcspn(words, " ");

	while (words[end]) {
		const size_t next = end + 1 + strcspn(words + end + 1, " ");

		if (next > room)
			break;
		end = next;
	}
	return end;
}

void comment_add(struct text *text, const char *indent, const char *format, ...)
{
	const size_t room = COLUMNS - width_of(indent) - strlen("# ");
	cleanup_free char *words = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&words, format, args);
	va_end(args);
	if (length < 0) {
		words = NULL;
		text->failed = true;
		return;
	}
	for (char *c = words; *c; c++) {
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	}
	for (const char *rest = words; *rest;) {
		const size_t line = line_of(rest, room);

		text_add(text, "%s# ", indent);
		text_add_bytes(text, rest, line);
		text_add(text, "\n");
		rest += line + (rest[line] == ' ');
	}
}

void comment_header(const struct emit_input *in, enum emit_kind kind, const struct form *form, struct text *text)
{
	cleanup_free char *summary = machine_summary(in->machine);
	const struct plan_notes *warnings = &in->plan->warnings;

	if (!summary) {
		text->failed = true;
		return;
	}
	comment_add(text, "", "Made by 'fettle plan --emit %s': %s.", emit_words[kind], form->summary);
	comment_add(text, "", "Planned for %s%s%s", in->machine->model ? in->machine->model : "",
		    in->machine->model ? ": " : "", summary);
	for (size_t i = 0; i < warnings->count; i++)
		comment_add(text, "", "Warning: %s", warnings->items[i].text);
}

void comment_instance(const struct plan_instance *instance, const char *indent, struct text *text)
{
	cleanup_text struct text words = TEXT_INIT;
	const enum memory_policy policy = instance->memory_policy;

	text_add(&words, "Instance %u: %u thread%s", instance->index, instance->threads,
		 instance->threads == 1 ? "" : "s");
	if (instance->pin == PIN_NONE) {
		text_add(&words, ", bound to no CPUs");
	} else {
		text_add(&words, " on CPUs ");
		form_list(&words, instance->pus_os);
		if (!hwloc_bitmap_isequal(instance->pus_os, instance->mask_os)) {
			text_add(&words, ", may use ");
			form_list(&words, instance->mask_os);
		}
	}
	if (policy != MEMORY_NONE)
		text_add(&words, ", memory %s", memory_policy_words[policy]);
	if (memory_policy_takes_nodes(policy)) {
		text_add(&words, " ");
		form_list(&words, instance->nodes_os);
	}
	if (words.failed)
		text->failed = true;
	else
		comment_add(text, indent, "%s", words.data);
}
