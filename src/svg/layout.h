/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where everything of a machine stands in its picture: boxes in boxes, measured
 * from the cores upwards and set in rows so that each box comes near a wanted
 * shape. Knows sizes and words, nothing of colours or SVG.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct machine;

enum svg_box_kind {
	SVG_BOX_MACHINE,
	SVG_BOX_PACKAGE,
	SVG_BOX_NODE, /* idx MACHINE_NONE: cores that belong to no node */
	SVG_BOX_L3,
	SVG_BOX_GROUP, /* no frame: what stands outside any package or L3 */
	SVG_BOX_CORE,
	SVG_BOX_COUNT,
};

/* Boxes lie in preorder: those inside box b are boxes[b + 1 .. boxes[b].end). */
struct svg_box {
	enum svg_box_kind kind;
	int idx;                     /* in the machine's array of this kind */
	size_t core_first, core_end; /* what it holds of machine->cores */
	size_t end;
	char *label; /* owned; NULL: none */
	bool bare;   /* the only node of its package: the package's frame does for it */
	int x, y, width, height;
	unsigned columns;  /* its children stand in rows of this many */
	int content_width; /* of all rows */
};

/* A node's memory: a bar at the top of the box whose CPUs it is nearest to, or below everything. */
struct svg_bar {
	size_t box;
	int node_idx;
	char *label; /* owned */
	int x, y, width, height;
};

struct svg_layout {
	const struct machine *machine;
	int pu_width, pu_height; /* of a CPU's cell */
	int mark_width;          /* left of a core's cells, for its kind; 0: one kind */
	struct svg_box *boxes;   /* boxes[0] is the machine */
	size_t box_count;
	struct svg_bar *bars;
	size_t bar_count;
	size_t *children; /* scratch */
};

/* Build boxes and bars with their labels; 0 or -ENOMEM. The sizes of `layout` are the caller's to set first. */
int svg_layout_init(struct svg_layout *layout, const struct machine *machine);

/* Measure everything; boxes aim at being `shape` percent as wide as high, the machine at `outer`. */
void svg_layout_measure(struct svg_layout *layout, unsigned shape, unsigned outer);

/* Give every box and bar of a measured layout its place; the machine's corner is (x, y). */
void svg_layout_place(struct svg_layout *layout, int x, int y);

/* The place of the `n`th CPU of the core in box `box`. */
void svg_layout_pu(const struct svg_layout *layout, size_t box, unsigned n, int *ret_x, int *ret_y);

void svg_layout_clear(struct svg_layout *layout);
#define cleanup_svg_layout cleanup_(svg_layout_clear)
