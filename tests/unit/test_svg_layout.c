/* SPDX-License-Identifier: Apache-2.0 */
/* Before anything is drawn: words measured and escaped, boxes in boxes and nothing over anything else. */
#include "machine_help.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "machine/machine.h"
#include "svg/layout.h"
#include "svg/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static size_t count_of(const char *text, const char *words)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
		count++;
	return count;
}

static void words_are_escaped(void **state)
{
	static const struct {
		const char *words, *xml;
	} rows[] = {
		{ "a < b & \"c\" > 'd'", "a &lt; b &amp; &quot;c&quot; &gt; 'd'" },
		{ "tab\tend\n", "tab\\x09end\\x0a" },
		{ "bell\a\x1b[31m\x7f", "bell\\x07\\x1b[31m\\x7f" },
		{ "G\xc3\xb6tz \xe2\x82\xac \xf0\x9f\x98\x80", "G\xc3\xb6tz \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xff\xfe cut \xe2\x82", "\\xff\\xfe cut \\xe2\\x82" },           /* no UTF-8, and cut off */
		{ "\xc0\xaf \xe0\x80\xaf", "\\xc0\\xaf \\xe0\\x80\\xaf" },          /* overlong '/' */
		{ "\xed\xa0\x80 \xef\xbf\xbf", "\\xed\\xa0\\x80 \\xef\\xbf\\xbf" }, /* surrogate, U+FFFF */
		{ "\xc2\x85", "\\xc2\\x85" },                                       /* a C1 control */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },                     /* above U+10FFFF */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_text struct text text = TEXT_INIT;

		svg_escape(&text, rows[i].words);
		assert_string_equal(text.data, rows[i].xml);
	}
}

static void long_words_stay_within_their_width(void **state)
{
	static const char *const words[] = { "2 packages x 28 cores x 2 threads; you may use 8 cores of node 0",
					     "onewordthatisfartoolongforanylineatall", "\xff\xff\xff\xff\xff\xff\xff",
					     "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		cleanup_text struct text text = TEXT_INIT;
		const int measured = svg_paragraph(NULL, 0, 0, 120, SVG_PLAIN, words[i]);
		const int end = svg_paragraph(&text, 0, 0, 120, SVG_PLAIN, words[i]);

		assert_int_equal(measured, end);
		assert_int_equal(end, svg_line(SVG_PLAIN) * (int)count_of(text.data ? text.data : "", "<text"));
		for (const char *at = text.data; at && (at = strchr(at, '>')); at += strcspn(at, "\n")) {
			cleanup_free char *line = strndup(at + 1, strcspn(at + 1, "<"));

			assert_non_null(line);
			assert_true(svg_width(line, SVG_PLAIN) <= 120);
		}
	}
}

static void assert_inside(const struct svg_box *inner, const struct svg_box *outer)
{
	assert_true(inner->x >= outer->x && inner->y >= outer->y);
	assert_true(inner->x + inner->width <= outer->x + outer->width);
	assert_true(inner->y + inner->height <= outer->y + outer->height);
}

static bool apart(int ax, int ay, int aw, int ah, int bx, int by, int bw, int bh)
{
	return ax + aw <= bx || bx + bw <= ax || ay + ah <= by || by + bh <= ay;
}

/* Children are inside their box, beside each other, and below its bars; cells inside their core. */
static void assert_box_is_tidy(const struct svg_layout *layout, size_t b)
{
	const struct svg_box *box = &layout->boxes[b];

	for (size_t i = b + 1; i < box->end; i = layout->boxes[i].end) {
		const struct svg_box *child = &layout->boxes[i];

		assert_inside(child, box);
		assert_true(child->core_first >= box->core_first && child->core_end <= box->core_end);
		for (size_t j = child->end; j < box->end; j = layout->boxes[j].end) {
			const struct svg_box *other = &layout->boxes[j];

			assert_true(apart(child->x, child->y, child->width, child->height, other->x, other->y,
					  other->width, other->height));
		}
		for (size_t k = 0; k < layout->bar_count; k++) {
			const struct svg_bar *bar = &layout->bars[k];

			if (bar->box == b)
				assert_true(apart(child->x, child->y, child->width, child->height, bar->x, bar->y,
						  bar->width, bar->height));
		}
	}
	for (unsigned n = 0; box->kind == SVG_BOX_CORE && n < layout->machine->cores[box->idx].pu_count; n++) {
		struct svg_box cell = { .width = layout->pu_width, .height = layout->pu_height };

		svg_layout_pu(layout, b, n, &cell.x, &cell.y);
		assert_inside(&cell, box);
	}
}

static void assert_layout_is_tidy(const struct machine *machine)
{
	static const unsigned shapes[] = { 50, 140, 400 };
	cleanup_svg_layout struct svg_layout layout = { .pu_width = 30, .pu_height = 17, .mark_width = 17 };
	size_t cores = 0;

	assert_int_equal(svg_layout_init(&layout, machine), 0);
	for (size_t b = 0; b < layout.box_count; b++)
		cores += layout.boxes[b].kind == SVG_BOX_CORE;
	assert_int_equal(cores, machine->core_count);
	for (size_t n = 0; n < machine->node_count; n++) {
		size_t bars = 0;

		for (size_t i = 0; i < layout.bar_count; i++)
			bars += layout.bars[i].node_idx == (int)n;
		assert_true(bars >= 1);
	}
	for (size_t s = 0; s < ARRAY_SIZE(shapes); s++) {
		svg_layout_measure(&layout, shapes[s], shapes[ARRAY_SIZE(shapes) - 1 - s]);
		svg_layout_place(&layout, 20, 60);
		for (size_t b = 0; b < layout.box_count; b++)
			assert_box_is_tidy(&layout, b);
	}
}

static void synthetic_machines_are_tidy(void **state)
{
	(void)state;
	for (size_t i = 0; odd_machines[i]; i++) {
		cleanup_machine struct machine *machine = read_machine(odd_machines[i]);

		assert_layout_is_tidy(machine);
	}
}

static void lay_out_tidily(const char *path)
{
	cleanup_machine struct machine *machine = read_machine(path);

	assert_layout_is_tidy(machine);
}

static void captured_machines_are_tidy(void **state)
{
	(void)state;
	each_captured_machine(lay_out_tidily);
}

static void what_encloses_what_is_true(void **state)
{
	static const struct {
		const char *spec;
		enum svg_box_kind kinds[3]; /* from the outside */
	} rows[] = {
		{ "synthetic:package:2 numa:2 l3:2 core:2 pu:1", { SVG_BOX_PACKAGE, SVG_BOX_NODE, SVG_BOX_L3 } },
		{ "synthetic:numa:2 package:2 l3:2 core:2 pu:1", { SVG_BOX_NODE, SVG_BOX_PACKAGE, SVG_BOX_L3 } },
		{ "synthetic:package:2 l3:2 numa:2 core:2 pu:1", { SVG_BOX_PACKAGE, SVG_BOX_L3, SVG_BOX_NODE } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_machine struct machine *machine = read_machine(rows[i].spec);
		cleanup_svg_layout struct svg_layout layout = { .pu_width = 30, .pu_height = 17 };

		assert_int_equal(svg_layout_init(&layout, machine), 0);
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(layout.boxes[1 + k].kind, rows[i].kinds[k]);
		assert_int_equal(layout.boxes[4].kind, SVG_BOX_CORE);
	}
}

/* Two nodes over the same CPUs are two bars on one box. */
static void twins_share_a_box(void **state)
{
	cleanup_machine struct machine *machine =
		read_machine("synthetic:package:2 [numa] [numa(memory=1GB)] core:2 pu:1");
	cleanup_svg_layout struct svg_layout layout = { .pu_width = 30, .pu_height = 17 };

	(void)state;
	assert_int_equal(svg_layout_init(&layout, machine), 0);
	assert_int_equal(layout.bar_count, 4);
	for (size_t i = 0; i < layout.bar_count; i++) {
		assert_int_equal(layout.boxes[layout.bars[i].box].kind, SVG_BOX_NODE);
		assert_null(strstr(layout.bars[i].label, "CPUs")); /* they are those of the box */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_escaped),           cmocka_unit_test(long_words_stay_within_their_width),
		cmocka_unit_test(synthetic_machines_are_tidy), cmocka_unit_test(captured_machines_are_tidy),
		cmocka_unit_test(what_encloses_what_is_true),  cmocka_unit_test(twins_share_a_box),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
