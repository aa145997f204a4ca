/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_machine_tree.h"

#include "base/cleanup.h"
#include "base/shown.h"
#include "base/text.h"
#include "cli/colour.h"
#include "machine/machine.h"
#include "machine/query.h"

#include <string.h>

enum { WIDTH = 80, INDENT = 2, MATRIX_MAX_NODES = 16 };

/* Cores machine->cores[first..end). */
struct range {
	size_t first, end;
};

struct tree {
	const struct machine *machine;
	const struct colour *colour; /* begins before a line is measured, or behind what is: columns stay true */
	struct text text;
	int shown_node; /* a node over several packages is printed once, above them */
};

static size_t length_of(struct range range)
{
	return range.end - range.first;
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static unsigned allowed_pus(const struct machine *machine, const struct machine_core *core)
{
	unsigned count = 0;

	for (unsigned i = 0; i < core->pu_count; i++)
		count += hwloc_bitmap_isset(machine->limits.pus_os, machine->pus[core->pu_idx + i].os) != 0;
	return count;
}

static bool same_core(const struct machine *machine, size_t a, size_t b)
{
	const struct machine_core *x = &machine->cores[a], *y = &machine->cores[b];

	return x->pu_count == y->pu_count && x->kind_idx == y->kind_idx &&
	       allowed_pus(machine, x) == allowed_pus(machine, y);
}

static bool same_l3(const struct machine *machine, int a, int b)
{
	const struct fact *x, *y;

	if (a == MACHINE_NONE || b == MACHINE_NONE)
		return a == b;
	x = &machine->caches[a].size_bytes;
	y = &machine->caches[b].size_bytes;
	return x->state == y->state && x->value == y->value;
}

/* Would the two print the same lines below their own? */
static bool same_range(const struct machine *machine, struct range a, struct range b)
{
	if (length_of(a) != length_of(b))
		return false;
	for (size_t i = 0; i < length_of(a); i++) {
		const struct machine_core *x = &machine->cores[a.first + i], *y = &machine->cores[b.first + i];

		if (!same_core(machine, a.first + i, b.first + i) || !same_l3(machine, x->l3_idx, y->l3_idx))
			return false;
		if (i && (x->l3_idx == x[-1].l3_idx) != (y->l3_idx == y[-1].l3_idx))
			return false;
	}
	return true;
}

/* The cores from `first` on that agree in one index. */
#define RANGE_OF(machine, from, limit, member)                                                       \
	({                                                                                           \
		struct range range_ = { (from), (from) + 1 };                                        \
		while (range_.end < (limit) &&                                                       \
		       (machine)->cores[range_.end].member == (machine)->cores[range_.first].member) \
			range_.end++;                                                                \
		range_;                                                                              \
	})

/* "CPUs LIST" to the end of the line that began at `line_start`. */
static void add_cpus(struct tree *tree, size_t line_start, const char *label, hwloc_const_bitmap_t set)
{
	const size_t column = tree->text.length - line_start + strlen(label);

	text_add(&tree->text, "%s", label);
	shown_list(&tree->text, set, column < WIDTH ? WIDTH - column : 0);
	text_add(&tree->text, "\n");
}

/* Say so where not all of `set` may be used. */
static void add_allowed(struct tree *tree, int indent, hwloc_const_bitmap_t set)
{
	size_t start;
	cleanup_bitmap hwloc_bitmap_t allowed = hwloc_bitmap_alloc();

	if (!allowed || hwloc_bitmap_and(allowed, set, tree->machine->limits.pus_os) < 0) {
		tree->text.failed = true;
		return;
	}
	if (hwloc_bitmap_isequal(allowed, set))
		return;
	start = tree->text.length;
	text_add(&tree->text, "%*s", indent, "");
	if (hwloc_bitmap_iszero(allowed))
		text_add(&tree->text, "%snone of its CPUs allowed%s\n", tree->colour->dim, tree->colour->off);
	else
		add_cpus(tree, start, "allowed CPUs ", allowed);
}

/* Nodes nodes[first..last], which are alike. */
static void add_nodes(struct tree *tree, int indent, size_t first, size_t last)
{
	const struct machine_node *node = &tree->machine->nodes[first];
	const size_t start = tree->text.length;

	if (last > first)
		text_add(&tree->text, "%*snodes %u-%u, each  ", indent, "", node->os, tree->machine->nodes[last].os);
	else
		text_add(&tree->text, "%*snode %u  ", indent, "", node->os);
	if (node->memory_bytes.state == FACT_KNOWN && !node->memory_bytes.value)
		text_add(&tree->text, "no memory");
	else
		shown_size(&tree->text, &node->memory_bytes);
	if (!hwloc_bitmap_isset(tree->machine->limits.nodes_os, node->os))
		text_add(&tree->text, " (memory not allowed)");
	if (hwloc_bitmap_iszero(node->pus_os)) {
		text_add(&tree->text, "  no CPUs\n");
		return;
	}
	add_cpus(tree, start, "  CPUs ", node->pus_os);
	add_allowed(tree, indent + INDENT, node->pus_os);
}

static void add_node(struct tree *tree, int indent, int node_idx)
{
	add_nodes(tree, indent, (size_t)node_idx, (size_t)node_idx);
}

/* "8 efficiency cores x 1 thread, up to 3400 MHz, not allowed" */
static void add_core_class(struct tree *tree, size_t count, const struct machine_core *core)
{
	const struct machine_kind *kind = &tree->machine->kinds[core->kind_idx];
	const unsigned allowed = allowed_pus(tree->machine, core);

	text_add(&tree->text, "%s%zu %s%s%s", allowed ? "" : tree->colour->dim, count, kind->small ? "efficiency " : "",
		 machine_core_word(tree->machine), plural(count));
	if (!tree->machine->siblings_unknown)
		text_add(&tree->text, " x %u thread%s", core->pu_count, plural(core->pu_count));
	if (tree->machine->kind_count > 1 && kind->max_mhz.state == FACT_KNOWN)
		text_add(&tree->text, ", up to %llu MHz", (unsigned long long)kind->max_mhz.value);
	if (!allowed)
		text_add(&tree->text, ", not allowed%s", tree->colour->off);
	else if (allowed < core->pu_count)
		text_add(&tree->text, ", %u of %u threads allowed", allowed, core->pu_count);
	text_add(&tree->text, "\n");
}

/* How many cores of `range` from `core` on are like it; 0 when an earlier one already was. */
static size_t count_like(const struct machine *machine, struct range range, size_t core)
{
	size_t count = 0;

	for (size_t i = range.first; i < core; i++) {
		if (same_core(machine, i, core))
			return 0;
	}
	for (size_t i = core; i < range.end; i++)
		count += same_core(machine, i, core);
	return count;
}

/* One line a class of cores: on the current line when there is one class, else below it. */
static void add_cores(struct tree *tree, int indent, struct range range)
{
	const bool one = count_like(tree->machine, range, range.first) == length_of(range);

	if (!one)
		text_add(&tree->text, "\n");
	for (size_t i = range.first; i < range.end; i++) {
		const size_t count = count_like(tree->machine, range, i);

		if (!count)
			continue;
		text_add(&tree->text, "%*s", one ? 1 : indent + INDENT, "");
		add_core_class(tree, count, &tree->machine->cores[i]);
	}
}

static const char *without_l3(const struct machine *machine)
{
	if (machine->cache_count)
		return "no L3";
	return machine->siblings_unknown ? "cores not told" : "cores";
}

/* The L3s of a node's cores; equal ones count together wherever they stand. */
static void add_l3s(struct tree *tree, int indent, struct range node)
{
	const struct machine *machine = tree->machine;
	struct range l3;

	for (size_t c = node.first; c < node.end; c = l3.end) {
		size_t count = 0;
		bool earlier = false;
		struct range other;

		l3 = RANGE_OF(machine, c, node.end, l3_idx);
		for (size_t o = node.first; o < node.end; o = other.end) {
			other = RANGE_OF(machine, o, node.end, l3_idx);
			if (!same_range(machine, l3, other))
				continue;
			earlier = earlier || o < c;
			count++;
		}
		if (earlier)
			continue;
		text_add(&tree->text, "%*s", indent, "");
		if (machine->cores[c].l3_idx == MACHINE_NONE) {
			text_add(&tree->text, "%s:", without_l3(machine));
		} else {
			if (count > 1)
				text_add(&tree->text, "%zu x ", count);
			text_add(&tree->text, "L3 ");
			shown_size(&tree->text, &machine->caches[machine->cores[c].l3_idx].size_bytes);
			text_add(&tree->text, ":");
		}
		add_cores(tree, indent, l3);
	}
}

/* Does the node reach beyond the cores' package? */
static bool spans_packages(const struct machine *machine, int node_idx)
{
	int package = MACHINE_NONE;
	bool seen = false;

	for (size_t c = 0; node_idx != MACHINE_NONE && c < machine->core_count; c++) {
		if (machine->cores[c].node_idx != node_idx)
			continue;
		if (seen && machine->cores[c].package_idx != package)
			return true;
		package = machine->cores[c].package_idx;
		seen = true;
	}
	return false;
}

/* Equal packages of one node that follow each other, as one line. Returns where they end. */
static size_t add_package(struct tree *tree, size_t first)
{
	const struct machine *machine = tree->machine;
	const struct colour *colour = tree->colour;
	const struct machine_core *core = &machine->cores[first];
	const bool spanned = spans_packages(machine, core->node_idx);
	const int indent = spanned ? INDENT : 0;
	const struct range package = RANGE_OF(machine, first, machine->core_count, package_idx);
	size_t end = package.end, count = 1;
	struct range node;

	if (spanned && tree->shown_node != core->node_idx) {
		add_node(tree, 0, core->node_idx);
		tree->shown_node = core->node_idx;
	}
	while (spanned && end < machine->core_count && machine->cores[end].node_idx == core->node_idx) {
		const struct range next = RANGE_OF(machine, end, machine->core_count, package_idx);

		if (!same_range(machine, package, next))
			break;
		end = next.end;
		count++;
	}
	if (core->package_idx == MACHINE_NONE)
		text_add(&tree->text, "%*s%s%s%s\n", indent, "", colour->bold,
			 machine->package_count ? "no package" : "packages not told", colour->off);
	else if (count > 1)
		text_add(&tree->text, "%*s%spackages %d-%d%s, each\n", indent, "", colour->bold, core->package_idx,
			 machine->cores[end - 1].package_idx, colour->off);
	else
		text_add(&tree->text, "%*s%spackage %d%s\n", indent, "", colour->bold, core->package_idx, colour->off);
	for (size_t c = package.first; c < package.end; c = node.end) {
		const int node_idx = machine->cores[c].node_idx;

		node = RANGE_OF(machine, c, package.end, node_idx);
		if (node_idx == MACHINE_NONE)
			text_add(&tree->text, "%*sno node\n", indent + INDENT, "");
		else if (!spanned)
			add_node(tree, indent + INDENT, node_idx);
		add_l3s(tree, indent + (spanned ? INDENT : 2 * INDENT), node);
	}
	return end;
}

static bool is_home(const struct machine *machine, int node_idx)
{
	for (size_t c = 0; c < machine->core_count; c++) {
		if (machine->cores[c].node_idx == node_idx)
			return true;
	}
	return false;
}

/* "distances: 10 local, 21 remote", or a row a node where they differ. */
static void add_distances(struct tree *tree)
{
	const struct machine *machine = tree->machine;
	const size_t n = machine->node_count;
	uint64_t nearest = UINT64_MAX, farthest = 0;

	if (n < 2)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!machine->nodes[i].distances) {
			text_add(&tree->text, "distances unknown\n");
			return;
		}
		for (size_t j = 0; j < n; j++) {
			const uint64_t distance = machine->nodes[i].distances[j];

			nearest = i != j && distance < nearest ? distance : nearest;
			farthest = i != j && distance > farthest ? distance : farthest;
		}
	}
	if (nearest == farthest || n > MATRIX_MAX_NODES) {
		text_add(&tree->text, "distances %llu local, %llu", (unsigned long long)machine->nodes[0].distances[0],
			 (unsigned long long)nearest);
		if (nearest != farthest)
			text_add(&tree->text, "-%llu", (unsigned long long)farthest);
		text_add(&tree->text, " remote\n");
		return;
	}
	text_add(&tree->text, "distances");
	for (size_t i = 0; i < n; i++)
		text_add(&tree->text, "%4u", machine->nodes[i].os);
	text_add(&tree->text, "\n");
	for (size_t i = 0; i < n; i++) {
		text_add(&tree->text, "%9u", machine->nodes[i].os);
		for (size_t j = 0; j < n; j++)
			text_add(&tree->text, "%4llu", (unsigned long long)machine->nodes[i].distances[j]);
		text_add(&tree->text, "\n");
	}
}

/* Would both print the same behind their numbers, and no CPUs? */
static bool same_memory(const struct machine *machine, size_t a, size_t b)
{
	const struct machine_node *x = &machine->nodes[a], *y = &machine->nodes[b];

	return hwloc_bitmap_iszero(x->pus_os) && hwloc_bitmap_iszero(y->pus_os) &&
	       x->memory_bytes.state == y->memory_bytes.state && x->memory_bytes.value == y->memory_bytes.value &&
	       !hwloc_bitmap_isset(machine->limits.nodes_os, x->os) ==
		       !hwloc_bitmap_isset(machine->limits.nodes_os, y->os);
}

/* Memory without cores of its own: another node's twin, a device, an expander. */
static void add_other_nodes(struct tree *tree)
{
	const struct machine *machine = tree->machine;
	size_t last;

	for (size_t first = 0; first < machine->node_count; first = last + 1) {
		last = first;
		if (is_home(machine, (int)first))
			continue;
		while (last + 1 < machine->node_count && machine->nodes[last + 1].os == machine->nodes[last].os + 1 &&
		       same_memory(machine, first, last + 1))
			last++;
		add_nodes(tree, 0, first, last);
	}
}

char *machine_tree(const struct machine *machine, const struct colour *colour)
{
	struct tree tree = { .machine = machine, .colour = colour, .text = TEXT_INIT, .shown_node = MACHINE_NONE };

	text_add(&tree.text, "%s%.50s%s, %.20s\n", colour->bold, machine->model ? machine->model : "model unknown",
		 colour->off, machine->architecture ? machine->architecture : "architecture unknown");
	for (size_t c = 0; c < machine->core_count;)
		c = add_package(&tree, c);
	add_other_nodes(&tree);
	add_distances(&tree);
	return text_take(&tree.text);
}
