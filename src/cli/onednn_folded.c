/* SPDX-License-Identifier: Apache-2.0 */
/* Folded stacks (Brendan Gregg's FlameGraph, collapse format): frames between ';', a blank, a count. */
#include "base/text.h"
#include "cli/onednn_text.h"
#include "onednn/profile.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* A frame holds neither of the format's two separators nor anything that ends a line. */
static void add_frame(const char *words, size_t length, struct text *text)
{
	for (size_t i = 0; i < length; i++) {
		const bool separates = words[i] == ';' || (unsigned char)words[i] <= ' ';

		text_add_bytes(text, separates ? "_" : &words[i], 1);
	}
}

static void add_stack(const struct onednn_row *row, struct onednn_span key, double ms, struct text *text)
{
	const char *comma = key.length ? memrchr(key.at, ',', key.length) : NULL;

	text_add(text, "oneDNN;");
	add_frame(row->kind, strlen(row->kind), text);
	text_add(text, ";");
	add_frame(row->implementation, strlen(row->implementation), text);
	if (comma) {
		text_add(text, ";");
		add_frame(comma + 1, key.length - (size_t)(comma + 1 - key.at), text);
	}
	text_add(text, " %" PRIu64 "\n", (uint64_t)(ms * 1000 + 0.5));
}

void onednn_folded(const struct onednn_profile *profile, struct text *text)
{
	static const char CREATE[] = "oneDNN;create;";

	for (size_t i = 0; i < profile->primitives.count; i++) {
		const struct onednn_primitive *primitive = &profile->primitives.items[i];

		if (primitive->calls)
			add_stack(&profile->rows[primitive->row], onednn_primitive_key(&profile->primitives, primitive),
				  primitive->exec_ms, text);
	}
	for (size_t i = 0; i < profile->row_count; i++) {
		const struct onednn_row *row = &profile->rows[i];

		if (!row->creations)
			continue;
		text_add_bytes(text, CREATE, sizeof(CREATE) - 1);
		add_frame(row->kind, strlen(row->kind), text);
		text_add(text, ";");
		add_frame(row->implementation, strlen(row->implementation), text);
		text_add(text, " %" PRIu64 "\n", (uint64_t)(row->create_ms * 1000 + 0.5));
	}
}
