/* SPDX-License-Identifier: Apache-2.0 */
/* Which boxes there are, what is in which, and what stands on them. */
#include "svg/layout.h"

#include "base/cleanup.h"
#include "base/shown.h"
#include "base/text.h"
#include "machine/machine.h"

#include <errno.h>

enum level { LEVEL_PACKAGE, LEVEL_NODE, LEVEL_L3, LEVEL_COUNT };

enum { LIST_ROOM = 32 };

static int member_of(const struct machine_core *core, enum level level)
{
	switch (level) {
	case LEVEL_PACKAGE:
		return core->package_idx;
	case LEVEL_NODE:
		return core->node_idx;
	default:
		return core->l3_idx;
	}
}

static size_t run_of(const struct machine *machine, enum level level, size_t first, size_t end)
{
	size_t last = first;

	while (last < end && member_of(&machine->cores[last], level) == member_of(&machine->cores[first], level))
		last++;
	return last - first;
}

/*
 * Which level encloses the others from core `first` on: the one that reaches farthest. So a node over four packages
 * stands around them, and an L3 over two nodes around those. A package or an L3 that is not there encloses nothing.
 */
static enum level outermost(const struct machine *machine, unsigned levels, size_t first, size_t end)
{
	enum level best = LEVEL_COUNT;
	size_t longest = 0;

	for (enum level level = 0; level < LEVEL_COUNT; level++) {
		size_t run;

		if (!(levels & 1U << level))
			continue;
		run = run_of(machine, level, first, end);
		if (level != LEVEL_NODE && member_of(&machine->cores[first], level) == MACHINE_NONE)
			run = 0;
		if (best == LEVEL_COUNT || run > longest) {
			best = level;
			longest = run;
		}
	}
	return best;
}

/* "package 0", or "part of package 0" where its cores do not all stand together. */
static char *label_of(const struct machine *machine, const struct svg_box *box, enum level level)
{
	struct text text = TEXT_INIT;
	size_t all = 0;

	for (size_t c = 0; c < machine->core_count; c++)
		all += member_of(&machine->cores[c], level) == box->idx;
	if (all > box->core_end - box->core_first)
		text_add(&text, "part of ");
	if (level == LEVEL_PACKAGE) {
		text_add(&text, "package %d", box->idx);
	} else if (level == LEVEL_L3) {
		text_add(&text, "L3 ");
		shown_size(&text, &machine->caches[box->idx].size_bytes);
	} else if (box->idx == MACHINE_NONE) {
		text_add(&text, "no node");
	} else {
		text_add(&text, "node %u", machine->nodes[box->idx].os);
	}
	return text_take(&text);
}

static size_t add_box(struct svg_layout *layout, enum svg_box_kind kind, int idx, size_t first, size_t end)
{
	layout->boxes[layout->box_count] = (struct svg_box){
		.kind = kind, .idx = idx, .core_first = first, .core_end = end, .end = layout->box_count + 1
	};
	return layout->box_count++;
}

/* Fill a box with what is in it, by the levels that are not yet around it. */
static int build(struct svg_layout *layout, size_t parent, unsigned levels)
{
	static const enum svg_box_kind kinds[] = { SVG_BOX_PACKAGE, SVG_BOX_NODE, SVG_BOX_L3 };
	const struct machine *machine = layout->machine;
	const struct svg_box *around = &layout->boxes[parent];
	const size_t end = around->core_end;

	for (size_t next, first = around->core_first; first < end; first = next) {
		const enum level level = outermost(machine, levels, first, end);
		enum svg_box_kind kind = SVG_BOX_CORE;
		int idx = (int)first;
		size_t box;

		next = first + 1;
		if (level != LEVEL_COUNT) {
			next = first + run_of(machine, level, first, end);
			idx = member_of(&machine->cores[first], level);
			kind = idx == MACHINE_NONE && level != LEVEL_NODE ? SVG_BOX_GROUP : kinds[level];
		}
		box = add_box(layout, kind, idx, first, next);
		layout->boxes[box].bare = kind == SVG_BOX_NODE && idx != MACHINE_NONE &&
					  around->kind == SVG_BOX_PACKAGE && first == around->core_first && next == end;
		if (kind != SVG_BOX_CORE && build(layout, box, levels & ~(1U << level)) < 0)
			return -ENOMEM;
		layout->boxes[box].end = layout->box_count;
		if (kind == SVG_BOX_CORE || kind == SVG_BOX_GROUP)
			continue;
		layout->boxes[box].label = label_of(machine, &layout->boxes[box], level);
		if (!layout->boxes[box].label)
			return -ENOMEM;
	}
	return 0;
}

/* CPUs of the box that the node counts as its own. */
static int shared_pus(const struct machine *machine, const struct svg_box *box, const struct machine_node *node)
{
	int count = 0;

	for (size_t c = box->core_first; c < box->core_end; c++) {
		for (unsigned i = 0; i < machine->cores[c].pu_count; i++)
			count += hwloc_bitmap_isset(node->pus_os, machine->pus[machine->cores[c].pu_idx + i].os) != 0;
	}
	return count;
}

/* The innermost package or node box that holds all CPUs of a node nobody has as home; the machine when there is none.
 */
static size_t box_around(const struct svg_layout *layout, const struct machine_node *node)
{
	const int wanted = hwloc_bitmap_weight(node->pus_os);
	size_t best = 0;

	for (size_t b = 1; wanted > 0 && b < layout->box_count; b++) {
		const struct svg_box *box = &layout->boxes[b];

		if ((box->kind == SVG_BOX_PACKAGE || box->kind == SVG_BOX_NODE) &&
		    box->core_end - box->core_first <= layout->boxes[best].core_end - layout->boxes[best].core_first &&
		    shared_pus(layout->machine, box, node) == wanted)
			best = b;
	}
	return best;
}

static int add_bar(struct svg_layout *layout, size_t box_idx, int node_idx)
{
	const struct machine *machine = layout->machine;
	const struct machine_node *node = &machine->nodes[node_idx];
	const struct svg_box *box = &layout->boxes[box_idx];
	struct text text = TEXT_INIT;
	struct svg_bar *bar = &layout->bars[layout->bar_count++];
	int all = 0;

	for (size_t c = box->core_first; c < box->core_end; c++)
		all += (int)machine->cores[c].pu_count;
	*bar = (struct svg_bar){ .box = box_idx, .node_idx = node_idx };
	if (box->kind == SVG_BOX_NODE && box->idx == node_idx)
		text_add(&text, "%s", box->label);
	else
		text_add(&text, "node %u", node->os);
	text_add(&text, ": ");
	if (node->memory_bytes.state == FACT_KNOWN && !node->memory_bytes.value)
		text_add(&text, "no memory");
	else
		shown_size(&text, &node->memory_bytes);
	if (!hwloc_bitmap_isset(machine->limits.nodes_os, node->os))
		text_add(&text, ", not allowed");
	if (hwloc_bitmap_iszero(node->pus_os)) {
		text_add(&text, ", no CPUs");
	} else if (shared_pus(machine, box, node) != all || !box_idx) {
		text_add(&text, ", CPUs ");
		shown_list(&text, node->pus_os, LIST_ROOM);
	}
	bar->label = text_take(&text);
	return bar->label ? 0 : -ENOMEM;
}

/* First each node box its own memory, then the nodes that no core has as home: a twin, a device, an expander. */
static int add_bars(struct svg_layout *layout)
{
	const struct machine *machine = layout->machine;

	for (size_t b = 1; b < layout->box_count; b++) {
		const struct svg_box *box = &layout->boxes[b];

		if (box->kind == SVG_BOX_NODE && box->idx != MACHINE_NONE && add_bar(layout, b, box->idx) < 0)
			return -ENOMEM;
	}
	for (size_t n = 0; n < machine->node_count; n++) {
		bool home = false;

		for (size_t c = 0; c < machine->core_count && !home; c++)
			home = machine->cores[c].node_idx == (int)n;
		if (!home && add_bar(layout, box_around(layout, &machine->nodes[n]), (int)n) < 0)
			return -ENOMEM;
	}
	return 0;
}

int svg_layout_init(struct svg_layout *layout, const struct machine *machine)
{
	const size_t room = machine->core_count * (LEVEL_COUNT + 1) + 1;
	unsigned levels = 0;

	layout->machine = machine;
	layout->boxes = calloc(room, sizeof(*layout->boxes));
	layout->children = calloc(room, sizeof(*layout->children));
	layout->bars = calloc(machine->core_count + machine->node_count + 1, sizeof(*layout->bars));
	if (!layout->boxes || !layout->children || !layout->bars)
		return -ENOMEM;
	for (size_t c = 0; c < machine->core_count; c++) {
		for (enum level level = 0; level < LEVEL_COUNT; level++)
			levels |= member_of(&machine->cores[c], level) != MACHINE_NONE ? 1U << level : 0;
	}
	(void)add_box(layout, SVG_BOX_MACHINE, 0, 0, machine->core_count);
	if (build(layout, 0, levels) < 0)
		return -ENOMEM;
	layout->boxes[0].end = layout->box_count;
	return add_bars(layout);
}

void svg_layout_clear(struct svg_layout *layout)
{
	for (size_t b = 0; b < layout->box_count; b++)
		free(layout->boxes[b].label);
	for (size_t i = 0; i < layout->bar_count; i++)
		free(layout->bars[i].label);
	free(layout->boxes);
	free(layout->bars);
	free(layout->children);
	*layout = (struct svg_layout){ .machine = NULL };
}
