/* SPDX-License-Identifier: Apache-2.0 */
#include "emit/yaml.h"

#include "base/text.h"
#include "base/utf8.h"

#include <inttypes.h>

static void add_character(struct text *text, uint32_t code)
{
	switch (code) {
	case '\n':
		text_add(text, "\\n");
		break;
	case '\t':
		text_add(text, "\\t");
		break;
	case '"':
	case '\\':
		text_add(text, "\\%c", (char)code);
		break;
	default:
		if (code >= 0x20 && code < 0x7f)
			text_add(text, "%c", (char)code);
		else if (code < 0x100)
			text_add(text, "\\x%02" PRIx32, code);
		else if (code < 0x10000)
			text_add(text, "\\u%04" PRIx32, code);
		else
			text_add(text, "\\U%08" PRIx32, code);
	}
}

void yaml_add(struct text *text, const char *utf8, bool double_dollar)
{
	uint32_t code = 0;

	text_add(text, "\"");
	for (size_t length; *utf8; utf8 += length) {
		length = utf8_at(utf8, &code);
		if (!length) { /* the caller has checked; never an endless loop */
			text->failed = true;
			return;
		}
		if (code == '$' && double_dollar)
			text_add(text, "$");
		add_character(text, code);
	}
	text_add(text, "\"");
}
