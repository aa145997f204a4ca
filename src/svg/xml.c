/* SPDX-License-Identifier: Apache-2.0 */
#include "svg/xml.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/utf8.h"

#include <string.h>

const struct svg_font_rule svg_fonts[SVG_FONT_COUNT] = {
	[SVG_HEADING] = { "fh", 18, 66, "font-size:18px;font-weight:bold" },
	[SVG_BOLD] = { "fb", 12, 72, "font-size:12px;font-weight:bold" },
	[SVG_PLAIN] = { "fp", 12, 61, "font-size:12px" },
	[SVG_SMALL] = { "fs", 11, 64, "font-size:11px" },
	[SVG_TINY] = { "ft", 9, 66, "font-size:9px" },
};

/* Bytes of the UTF-8 character at `words` that XML 1.0 may hold and that shows, or 0. */
static size_t character_at(const char *words)
{
	uint32_t code;
	const size_t length = utf8_at(words, &code);

	if (!length || code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xfffe || code == 0xffff)
		return 0;
	return length;
}

void svg_escape(struct text *text, const char *words)
{
	if (!text)
		return;
	while (*words) {
		const size_t length = character_at(words);

		if (!length)
			text_add(text, "\\x%02x", (unsigned char)*words);
		else if (*words == '&')
			text_add(text, "&amp;");
		else if (*words == '<')
			text_add(text, "&lt;");
		else if (*words == '>')
			text_add(text, "&gt;");
		else if (*words == '"')
			text_add(text, "&quot;");
		else
			text_add_bytes(text, words, length);
		words += length ? length : 1;
	}
}

static int width_of(size_t letters, enum svg_font font)
{
	return (int)(letters * (size_t)svg_fonts[font].size * (size_t)svg_fonts[font].em_percent / 100) + 1;
}

/* Letters of words[0..length): what is not part of a character becomes four. */
static size_t letters_in(const char *words, size_t length)
{
	size_t letters = 0;

	for (size_t i = 0; i < length;) {
		const size_t bytes = character_at(words + i);

		letters += bytes ? 1 : strlen("\\xNN");
		i += bytes ? bytes : 1;
	}
	return letters;
}

int svg_width(const char *words, enum svg_font font)
{
	return width_of(letters_in(words, strlen(words)), font);
}

int svg_line(enum svg_font font)
{
	return svg_fonts[font].size + svg_fonts[font].size / 3;
}

void svg_words(struct text *text, int x, int y, enum svg_font font, const char *words)
{
	if (!text)
		return;
	text_add(text, "<text class=\"f-%s\" x=\"%d\" y=\"%d\">", svg_fonts[font].name, x, y);
	svg_escape(text, words);
	text_add(text, "</text>\n");
}

/* How many bytes of `words` go into a line: up to the last blank that fits; a word that is too long is cut. */
static size_t line_of(const char *words, int width, enum svg_font font)
{
	size_t fits = 0, end = 0;

	while (words[end]) {
		const size_t bytes = character_at(words + end);
		const size_t next = end + (bytes ? bytes : 1);

		if (width_of(letters_in(words, next), font) > width && end)
			return fits ? fits : end;
		end = next;
		if (words[end] == ' ')
			fits = end;
	}
	return end;
}

int svg_paragraph(struct text *text, int x, int y, int width, enum svg_font font, const char *words)
{
	while (*words) {
		const size_t length = line_of(words, width, font);
		cleanup_free char *line = text ? strndup(words, length) : NULL;

		y += svg_line(font);
		if (line)
			svg_words(text, x, y - svg_fonts[font].size / 4, font, line);
		else if (text)
			text->failed = true;
		words += length;
		words += strspn(words, " ");
	}
	return y;
}
