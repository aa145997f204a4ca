/* SPDX-License-Identifier: Apache-2.0 */
/* The legend of a plan: each instance with its CPUs; what all have in common is said once, above. */
#include "svg/draw.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/shown.h"
#include "base/text.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "svg/colour.h"
#include "svg/xml.h"

enum { LIST_ROOM = 30, SWATCH_HEIGHT = 18, ROW_HEIGHT = 22, TITLE_HEIGHT = 22, COLUMN_GAP = 18 };

/* Which attributes are the same for all. */
struct common {
	bool threads, pin, memory, nodes;
};

static struct common common_of(const struct plan *plan)
{
	const struct plan_instance *first = &plan->instances[0];
	struct common common = { true, true, true, true };

	for (size_t i = 1; i < plan->instance_count; i++) {
		const struct plan_instance *other = &plan->instances[i];

		common.threads &= other->threads == first->threads;
		common.pin &= other->pin == first->pin;
		common.memory &= other->memory_policy == first->memory_policy;
		common.nodes &= hwloc_bitmap_isequal(other->nodes_os, first->nodes_os) != 0;
	}
	return common;
}

/* "4 threads, pin threads, memory preferred node 0"; the first after `separator`. */
static void add_attributes(struct text *text, const char *separator, const struct plan_instance *instance,
			   struct common which)
{
	const bool placed = instance->memory_policy != MEMORY_NONE && instance->memory_policy != MEMORY_LOCAL;

	if (which.threads) {
		text_add(text, "%s%u thread%s", separator, instance->threads, instance->threads == 1 ? "" : "s");
		separator = ", ";
	}
	if (which.pin) {
		text_add(text, "%spin %s", separator, pin_words[instance->pin]);
		separator = ", ";
	}
	if (which.memory) {
		text_add(text, "%smemory %s", separator, memory_policy_words[instance->memory_policy]);
		separator = " ";
	}
	if (which.nodes && placed) {
		text_add(text, "%snode ", separator);
		shown_list(text, instance->nodes_os, LIST_ROOM);
	}
}

static char *title_of(const struct plan *plan, struct common common)
{
	struct text text = TEXT_INIT;

	text_add(&text, "%zu instance%s", plan->instance_count, plan->instance_count == 1 ? "" : "s");
	add_attributes(&text, plan->instance_count == 1 ? ": " : ", each with ", &plan->instances[0], common);
	return text_take(&text);
}

static char *entry_of(const struct plan *plan, size_t i, struct common common)
{
	const struct plan_instance *instance = &plan->instances[i];
	const struct common own = { !common.threads, !common.pin, !common.memory, !common.nodes };
	struct text text = TEXT_INIT;

	text_add(&text, "CPU%s ", hwloc_bitmap_weight(instance->pus_os) == 1 ? "" : "s");
	shown_list(&text, instance->pus_os, LIST_ROOM);
	if (!hwloc_bitmap_isequal(instance->pus_os, instance->mask_os)) {
		text_add(&text, " (may use ");
		shown_list(&text, instance->mask_os, LIST_ROOM);
		text_add(&text, ")");
	}
	add_attributes(&text, ", ", instance, own);
	return text_take(&text);
}

static char *unused_of(const struct plan *plan)
{
	struct text text = TEXT_INIT;

	text_add(&text, "unused: CPUs ");
	shown_list(&text, plan->unused_pus_os, LIST_ROOM);
	return text_take(&text);
}

/* The whole list is in the tooltip. */
static void draw_entry(struct text *text, int x, int y, int swatch, const struct plan_instance *instance,
		       const char *words)
{

	text_add(text, "<g>");
	if (instance) {
		cleanup_free char *list = cpulist_text(instance->pus_os);

		text->failed |= !list;
		text_add(text, "<title>instance %u: CPUs %s</title>", instance->index, list ? list : "");
		text_add(text, "<rect class=\"f-c%u\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>",
			 instance->index % SVG_COLOURS, x, y, swatch, SWATCH_HEIGHT);
	} else {
		text_add(text, "<rect class=\"f-co\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", x, y, swatch,
			 SWATCH_HEIGHT);
	}
	if (instance) {
		svg_band(text, instance->index, x, y, swatch, SWATCH_HEIGHT);
		text_add(text, "<text class=\"f-%s\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">#%u</text>",
			 svg_fonts[SVG_SMALL].name, x + swatch / 2, y + 12, instance->index);
	}
	svg_words(text, x + swatch + 5, y + 12, SVG_SMALL, words);
	text_add(text, "</g>\n");
}

/* Each instance's words, and how wide the widest are; what memory does not suffice for is left NULL. */
static char **entries_of(const struct plan *plan, struct common common, int *ret_widest)
{
	char **words = calloc(plan->instance_count, sizeof(*words));
	int widest = 0;

	for (size_t i = 0; words && i < plan->instance_count; i++) {
		int width;

		words[i] = entry_of(plan, i, common);
		width = words[i] ? svg_width(words[i], SVG_SMALL) : 0;
		widest = width > widest ? width : widest;
	}
	*ret_widest = widest;
	return words;
}

int svg_instances(const struct svg *svg, struct text *text, int x, int y, int width)
{
	const struct plan *plan = svg->plan;
	const struct common common = common_of(plan);
	cleanup_free char *title = title_of(plan, common), *unused = unused_of(plan);
	const int swatch = svg->layout.pu_width + 4;
	int widest;
	char **words = entries_of(plan, common, &widest);
	const int column = swatch + 5 + widest + COLUMN_GAP;
	const size_t columns = width + COLUMN_GAP > column ? (size_t)((width + COLUMN_GAP) / column) : 1;
	const size_t rows = (plan->instance_count + columns - 1) / columns;

	if (text)
		text->failed |= !words || !title || !unused;
	if (title)
		svg_words(text, x, y + 13, SVG_BOLD, title);
	y += TITLE_HEIGHT;
	for (size_t i = 0; words && i < plan->instance_count; i++) {
		if (text && words[i])
			draw_entry(text, x + (int)(i / rows) * column, y + (int)(i % rows) * ROW_HEIGHT, swatch,
				   &plan->instances[i], words[i]);
		else if (text)
			text->failed = true;
		free(words[i]);
	}
	free(words);
	y += (int)rows * ROW_HEIGHT;
	if (hwloc_bitmap_iszero(plan->unused_pus_os))
		return y;
	if (text && unused)
		draw_entry(text, x, y, swatch, NULL, unused);
	return y + ROW_HEIGHT;
}
