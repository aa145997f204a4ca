/* SPDX-License-Identifier: Apache-2.0 */
#include "svg/layout.h"

#include "machine/machine.h"
#include "svg/xml.h"

#include <stdint.h>
#include <string.h>

/* Space around the inside of a box, between the boxes in it, and for its title; px. */
static const struct frame {
	int pad, gap, title;
	enum svg_font font; /* of its label */
} frames[SVG_BOX_COUNT] = {
	[SVG_BOX_MACHINE] = { 0, 12, 0, SVG_PLAIN }, [SVG_BOX_PACKAGE] = { 8, 8, 18, SVG_BOLD },
	[SVG_BOX_NODE] = { 6, 6, 0, SVG_SMALL }, /* its title is its memory's bar */
	[SVG_BOX_L3] = { 4, 6, 15, SVG_SMALL },      [SVG_BOX_GROUP] = { 0, 6, 0, SVG_SMALL },
	[SVG_BOX_CORE] = { 2, 1, 0, SVG_SMALL },
};

enum { CORE_GAP = 3, BAR_HEIGHT = 18, BAR_GAP = 3, BAR_PAD = 6, NODE_TITLE = 15 };

/* Cells of a core stand in one row up to 3, then in two, then in rows of 8. */
static int cell_columns(unsigned pu_count)
{
	return pu_count <= 3 ? (int)pu_count : pu_count <= 16 ? (int)(pu_count + 1) / 2 : 8;
}

static int pad_of(const struct svg_box *box)
{
	return box->bare ? 0 : frames[box->kind].pad;
}

static size_t list_children(const struct svg_layout *layout, size_t box)
{
	size_t count = 0;

	for (size_t b = box + 1; b < layout->boxes[box].end; b = layout->boxes[b].end)
		layout->children[count++] = b;
	return count;
}

/* Cores stand closer together than what holds them. */
static int gap_in(const struct svg_layout *layout, size_t box)
{
	const bool cores = box + 1 < layout->box_count && layout->boxes[box + 1].kind == SVG_BOX_CORE;

	return cores ? CORE_GAP : frames[layout->boxes[box].kind].gap;
}

static int column_width(const struct svg_layout *layout, size_t count, unsigned columns, size_t column)
{
	int width = 0;

	for (size_t i = column; i < count; i += columns) {
		const int own = layout->boxes[layout->children[i]].width;

		width = own > width ? own : width;
	}
	return width;
}

static int row_height(const struct svg_layout *layout, size_t count, unsigned columns, size_t first)
{
	int height = 0;

	for (size_t i = first; i < count && i < first + columns; i++) {
		const int own = layout->boxes[layout->children[i]].height;

		height = own > height ? own : height;
	}
	return height;
}

static void size_in_rows(const struct svg_layout *layout, size_t box, size_t count, unsigned columns, int *ret_width,
			 int *ret_height)
{
	const int gap = gap_in(layout, box);
	int width = 0, height = 0;

	for (size_t c = 0; c < columns; c++)
		width += column_width(layout, count, columns, c) + (c ? gap : 0);
	for (size_t first = 0; first < count; first += columns)
		height += row_height(layout, count, columns, first) + (first ? gap : 0);
	*ret_width = width;
	*ret_height = height;
}

/* Small is good, and so is the wanted shape: four times as wide or as high counts like twice the area. Integers, so
 * that every machine draws the same picture. */
static uint64_t cost_of(int width, int height, unsigned shape)
{
	const uint64_t w = (uint64_t)width * 100, h = (uint64_t)height * shape;
	const uint64_t area = (uint64_t)width * (uint64_t)height / 16 + 1;

	return area * area * ((w > h ? w : h) * 64 / ((w > h ? h : w) + 1));
}

static void choose_columns(struct svg_layout *layout, size_t b, size_t count, unsigned shape, int *ret_height)
{
	struct svg_box *box = &layout->boxes[b];
	uint64_t best = UINT64_MAX;
	unsigned last = 0;

	for (size_t rows = 1; rows <= count; rows++) {
		const unsigned columns = (unsigned)((count + rows - 1) / rows);
		int width, height;
		uint64_t cost;

		if (columns == last)
			continue;
		last = columns;
		size_in_rows(layout, b, count, columns, &width, &height);
		cost = cost_of(width, height, shape);
		if (cost >= best)
			continue;
		best = cost;
		box->columns = columns;
		box->content_width = width;
		*ret_height = height;
	}
}

/* Bars of a box are as wide as it is and stand below each other; returns their height. */
static int measure_bars(struct svg_layout *layout, size_t b, int *width)
{
	int height = 0;

	for (size_t i = 0; i < layout->bar_count; i++) {
		struct svg_bar *bar = &layout->bars[i];

		if (bar->box != b)
			continue;
		bar->width = svg_width(bar->label, SVG_SMALL) + 2 * BAR_PAD;
		bar->height = BAR_HEIGHT;
		*width = bar->width > *width ? bar->width : *width;
		height += BAR_HEIGHT + BAR_GAP;
	}
	return height;
}

/* The machine's own bars flow in rows below everything else, from (x, y). Returns where they end. */
static int flow_bars(struct svg_layout *layout, int x, int y)
{
	const int right = x + layout->boxes[0].width;
	int at = x;
	bool any = false;

	for (size_t i = 0; i < layout->bar_count; i++) {
		struct svg_bar *bar = &layout->bars[i];

		if (bar->box)
			continue;
		if (at > x && at + bar->width > right) {
			at = x;
			y += BAR_HEIGHT + BAR_GAP;
		}
		bar->x = at;
		bar->y = y;
		at += bar->width + BAR_GAP;
		any = true;
	}
	return any ? y + BAR_HEIGHT : y;
}

/* Nodes without a bar of their own (cores of no node) have a title line. */
static int title_height(const struct svg_box *box)
{
	if (box->kind == SVG_BOX_NODE && box->idx == MACHINE_NONE)
		return NODE_TITLE;
	return frames[box->kind].title;
}

static void measure_core(const struct svg_layout *layout, struct svg_box *box)
{
	const struct frame *frame = &frames[SVG_BOX_CORE];
	const unsigned count = layout->machine->cores[box->idx].pu_count;
	const int columns = cell_columns(count), rows = ((int)count + columns - 1) / columns;

	box->width = 2 * frame->pad + layout->mark_width + columns * (layout->pu_width + frame->gap) - frame->gap;
	box->height = 2 * frame->pad + rows * (layout->pu_height + frame->gap) - frame->gap;
}

static void measure_box(struct svg_layout *layout, size_t b, unsigned shape)
{
	struct svg_box *box = &layout->boxes[b];
	const struct frame *frame = &frames[box->kind];
	const size_t count = list_children(layout, b);
	int width = 0, height = 0, bars;

	choose_columns(layout, b, count, shape, &height);
	if (box->label && (box->kind != SVG_BOX_NODE || box->idx == MACHINE_NONE))
		width = svg_width(box->label, frame->font);
	bars = measure_bars(layout, b, &width);
	width = box->content_width > width ? box->content_width : width;
	box->width = width + 2 * pad_of(box);
	box->height = height + 2 * pad_of(box) + title_height(box) + (b ? bars : 0);
	if (!b && bars)
		box->height = flow_bars(layout, 0, height + frame->gap);
}

void svg_layout_measure(struct svg_layout *layout, unsigned shape, unsigned outer)
{
	for (size_t b = layout->box_count; b-- > 0;) {
		if (layout->boxes[b].kind == SVG_BOX_CORE)
			measure_core(layout, &layout->boxes[b]);
		else
			measure_box(layout, b, b ? shape : outer);
	}
}

static int place_bars(struct svg_layout *layout, size_t b, int y)
{
	const struct svg_box *box = &layout->boxes[b];
	const int pad = pad_of(box);

	for (size_t i = 0; i < layout->bar_count; i++) {
		struct svg_bar *bar = &layout->bars[i];

		if (bar->box != b)
			continue;
		bar->x = box->x + pad;
		bar->y = y;
		bar->width = box->width - 2 * pad;
		y += BAR_HEIGHT + BAR_GAP;
	}
	return y;
}

/* A box fills its row and column, so that neighbours line up although their labels differ; cores never need to. */
static void place_child(struct svg_box *child, int x, int y, int width, int height)
{
	child->x = x;
	child->y = y;
	if (child->kind == SVG_BOX_CORE)
		return;
	child->width = width;
	child->height = height;
}

static void place_children(struct svg_layout *layout, size_t b)
{
	const struct svg_box *box = &layout->boxes[b];
	const size_t count = list_children(layout, b);
	const int gap = gap_in(layout, b), pad = pad_of(box);
	int y = box->y + pad + title_height(box);

	if (b)
		y = place_bars(layout, b, y);
	for (size_t first = 0; first < count; first += box->columns) {
		const int height = row_height(layout, count, box->columns, first);
		int x = box->x + pad;

		for (size_t i = first; i < count && i < first + box->columns; i++) {
			const int width = box->columns == 1 ? box->width - 2 * pad
							    : column_width(layout, count, box->columns, i - first);

			place_child(&layout->boxes[layout->children[i]], x, y, width, height);
			x += width + gap;
		}
		y += height + gap;
	}
	if (!b)
		(void)flow_bars(layout, box->x, y);
}

void svg_layout_place(struct svg_layout *layout, int x, int y)
{
	layout->boxes[0].x = x;
	layout->boxes[0].y = y;
	for (size_t b = 0; b < layout->box_count; b++) {
		if (layout->boxes[b].kind != SVG_BOX_CORE)
			place_children(layout, b);
	}
}

void svg_layout_pu(const struct svg_layout *layout, size_t box, unsigned n, int *ret_x, int *ret_y)
{
	const struct frame *frame = &frames[SVG_BOX_CORE];
	const struct svg_box *core = &layout->boxes[box];
	const int columns = cell_columns(layout->machine->cores[core->idx].pu_count);

	*ret_x = core->x + frame->pad + layout->mark_width + (int)n % columns * (layout->pu_width + frame->gap);
	*ret_y = core->y + frame->pad + (int)n / columns * (layout->pu_height + frame->gap);
}
