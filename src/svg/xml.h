/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words in an SVG: escaped, measured without a font, wrapped. Everything here
 * takes a NULL text for "only measure".
 */
#pragma once

struct text;

/* Kinds of writing; each has a rule in the style sheet. */
enum svg_font { SVG_HEADING, SVG_BOLD, SVG_PLAIN, SVG_SMALL, SVG_TINY, SVG_FONT_COUNT };

struct svg_font_rule {
	const char *name; /* class */
	int size;         /* px */
	int em_percent;   /* width of an average letter: no usual sans-serif font is wider */
	const char *css;
};
extern const struct svg_font_rule svg_fonts[SVG_FONT_COUNT];

/*
 * Append `words` as XML text or attribute value. What XML cannot hold or a reader should not meet
 * (control characters, bytes that are no UTF-8) is shown as \xNN.
 */
void svg_escape(struct text *text, const char *words);

/* Columns of px that `words` take at most. */
int svg_width(const char *words, enum svg_font font);

/* Height of a line. */
int svg_line(enum svg_font font);

/* One line of writing, its base line at y. */
void svg_words(struct text *text, int x, int y, enum svg_font font, const char *words);

/* Lines of at most `width` px, the first at the top `y`. Returns where the last one ends. */
int svg_paragraph(struct text *text, int x, int y, int width, enum svg_font font, const char *words);
