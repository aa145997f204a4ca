/* SPDX-License-Identifier: Apache-2.0 */
#include "svg/draw.h"

#include "base/text.h"
#include "machine/machine.h"
#include "svg/colour.h"
#include "svg/xml.h"

#include <stdio.h>

/* The class of a cell's rectangle, and the line below its number. */
static void cell_words(const struct svg_pu *pu, char class[8], char below[16])
{
	below[0] = '\0';
	switch (pu->role) {
	case SVG_COMPUTE:
		(void)snprintf(class, 8, "c%u", pu->instance % SVG_COLOURS);
		(void)snprintf(below, 16, "#%u", pu->instance);
		return;
	case SVG_HELPER:
		(void)snprintf(class, 8, "t%u", pu->instance % SVG_COLOURS);
		(void)snprintf(below, 16, "(%u)", pu->instance);
		return;
	case SVG_SHARED:
		(void)snprintf(class, 8, "sh");
		(void)snprintf(below, 16, "(*)");
		return;
	default:
		(void)snprintf(class, 8, pu->role == SVG_ALLOWED ? "ok" : "off");
	}
}

static void add_tooltip(const struct svg *svg, struct text *text, unsigned pu_os, const struct svg_pu *pu)
{
	text_add(text, "<title>CPU %u: ", pu_os);
	switch (pu->role) {
	case SVG_COMPUTE:
		text_add(text, "instance %u", pu->instance);
		if (pu->thread >= 0)
			text_add(text, ", compute thread %d", pu->thread);
		break;
	case SVG_HELPER:
		text_add(text, "instance %u may use it, no compute thread", pu->instance);
		break;
	case SVG_SHARED:
		text_add(text, "several instances may use it, no compute thread");
		break;
	case SVG_NOT_ALLOWED:
		text_add(text, "not allowed");
		break;
	default:
		text_add(text, svg->plan ? "unused" : "allowed");
	}
	text_add(text, "</title>");
}

void svg_band(struct text *text, unsigned instance, int x, int y, int width, int height)
{
	const unsigned band = instance / SVG_COLOURS % SVG_BANDS;

	if (band)
		text_add(text, "<path class=\"f-b%u\" d=\"M%d %dH%d\"/>", band, x + 1, y + height - 2, x + width - 1);
}

void svg_cell(const struct svg *svg, struct text *text, int x, int y, unsigned pu_os, const struct svg_pu *pu)
{
	const int width = svg->layout.pu_width, height = svg->layout.pu_height;
	const char *pale = pu->role == SVG_NOT_ALLOWED ? " f-pale" : "";
	char class[8], below[16];

	if (!text)
		return;
	cell_words(pu, class, below);
	text_add(text, "<g>");
	add_tooltip(svg, text, pu_os, pu);
	text_add(text, "<rect class=\"f-%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", class, x, y, width,
		 height);
	if (pu->role == SVG_COMPUTE)
		svg_band(text, pu->instance, x, y, width, height);
	text_add(text, "<text class=\"f-%s%s\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%u</text>",
		 svg_fonts[SVG_SMALL].name, pale, x + width / 2, below[0] ? y + 12 : y + height / 2 + 4, pu_os);
	if (below[0])
		text_add(text, "<text class=\"f-%s\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>",
			 svg_fonts[SVG_TINY].name, x + width / 2, y + 22, below);
	text_add(text, "</g>\n");
}

static void add_rect(struct text *text, const char *class, int x, int y, int width, int height, int radius)
{
	text_add(text, "<rect class=\"f-%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"", class, x, y, width, height);
	if (radius)
		text_add(text, " rx=\"%d\"", radius);
	text_add(text, "/>\n");
}

static void draw_core(const struct svg *svg, struct text *text, size_t b)
{
	const struct svg_box *box = &svg->layout.boxes[b];
	const struct machine_core *core = &svg->machine->cores[box->idx];
	const bool small = svg->machine->kinds[core->kind_idx].small;

	/* A frame says that no other CPU shares the core. */
	if (!svg->machine->siblings_unknown)
		add_rect(text, small ? "ec" : "co", box->x, box->y, box->width, box->height, small ? 7 : 1);
	if (svg->layout.mark_width)
		svg_words(text, box->x + 3, box->y + box->height / 2 + 3, SVG_TINY, svg->marks[core->kind_idx]);
	for (unsigned i = 0; i < core->pu_count; i++) {
		int x, y;

		svg_layout_pu(&svg->layout, b, i, &x, &y);
		svg_cell(svg, text, x, y, svg->machine->pus[core->pu_idx + i].os, &svg->pus[core->pu_idx + i]);
	}
}

static void draw_bars(const struct svg *svg, struct text *text)
{
	for (size_t i = 0; i < svg->layout.bar_count; i++) {
		const struct svg_bar *bar = &svg->layout.bars[i];
		const struct machine_node *node = &svg->machine->nodes[bar->node_idx];
		const bool empty = node->memory_bytes.state == FACT_KNOWN && !node->memory_bytes.value;
		const bool allowed = hwloc_bitmap_isset(svg->machine->limits.nodes_os, node->os) != 0;

		add_rect(text, empty ? "em" : allowed ? "me" : "off", bar->x, bar->y, bar->width, bar->height, 2);
		svg_words(text, bar->x + 6, bar->y + 13, SVG_SMALL, bar->label);
	}
}

void svg_machine(const struct svg *svg, struct text *text)
{
	static const struct {
		const char *class;
		enum svg_font font;
		int x, y; /* of the label */
	} looks[SVG_BOX_COUNT] = {
		[SVG_BOX_PACKAGE] = { "pk", SVG_BOLD, 8, 18 },
		[SVG_BOX_NODE] = { "nd", SVG_SMALL, 6, 15 },
		[SVG_BOX_L3] = { "l3", SVG_SMALL, 4, 14 },
	};

	for (size_t b = 0; b < svg->layout.box_count; b++) {
		const struct svg_box *box = &svg->layout.boxes[b];
		const bool no_node = box->kind == SVG_BOX_NODE && box->idx == MACHINE_NONE;

		if (box->kind == SVG_BOX_CORE) {
			draw_core(svg, text, b);
			continue;
		}
		if (!looks[box->kind].class || box->bare)
			continue;
		add_rect(text, no_node ? "nn" : looks[box->kind].class, box->x, box->y, box->width, box->height, 3);
		if (box->kind != SVG_BOX_NODE || no_node)
			svg_words(text, box->x + looks[box->kind].x, box->y + looks[box->kind].y, looks[box->kind].font,
				  box->label);
	}
	draw_bars(svg, text);
}
