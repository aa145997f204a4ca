/* SPDX-License-Identifier: Apache-2.0 */
#include "svg/svg.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/text.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "svg/colour.h"
#include "svg/draw.h"
#include "svg/xml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MARGIN = 20, SECTION_GAP = 16, WIDTH_MIN = 540, MODEL_ROOM = 160, TOLD_INSTANCES = 16 };

/* A page is between these, width to height in percent. */
enum { PAGE_NARROW = 75, PAGE_WIDE = 150 };

static int widest_number(const struct svg *svg)
{
	unsigned most = 0;
	char words[16];

	for (size_t i = 0; i < svg->machine->pu_count; i++)
		most = svg->machine->pus[i].os > most ? svg->machine->pus[i].os : most;
	(void)snprintf(words, sizeof(words), "%u", most);
	return svg_width(words, SVG_SMALL);
}

static void size_cells(struct svg *svg)
{
	const int number = widest_number(svg);
	int below = 0;
	char words[32];

	if (svg->plan && svg->plan->instance_count) {
		(void)snprintf(words, sizeof(words), "(%zu)", svg->plan->instance_count - 1);
		below = svg_width(words, SVG_TINY);
	}
	svg->layout.pu_width = (number > below ? number : below) + 6;
	svg->layout.pu_height = !svg->plan ? 17 : svg->plan->instance_count <= SVG_COLOURS ? 26 : 29;
	svg->layout.mark_width = svg->machine->kind_count > 1 ? 17 : 0;
}

/* "P" and "E" where a machine has one kind of each; several are numbered, the most powerful first. */
static int mark_kinds(struct svg *svg)
{
	const struct machine *machine = svg->machine;
	unsigned counts[2] = { 0, 0 }, used[2] = { 0, 0 };

	svg->marks = calloc(machine->kind_count, sizeof(*svg->marks));
	if (!svg->marks)
		return -ENOMEM;
	for (size_t k = 0; k < machine->kind_count; k++)
		counts[machine->kinds[k].small]++;
	for (size_t k = machine->kind_count; k-- > 0;) {
		const bool small = machine->kinds[k].small;

		if (counts[small] > 1)
			(void)snprintf(svg->marks[k], sizeof(*svg->marks), "%c%u", small ? 'E' : 'P', ++used[small]);
		else
			(void)snprintf(svg->marks[k], sizeof(*svg->marks), "%c", small ? 'E' : 'P');
	}
	return 0;
}

static void begin_group(struct text *text, const char *class)
{
	if (text)
		text_add(text, "<g class=\"f-%s\">\n", class);
}

static void end_group(struct text *text)
{
	if (text)
		text_add(text, "</g>\n");
}

static int draw_head(struct text *text, int width, const char *heading, const char *summary)
{
	int y = svg_paragraph(text, MARGIN, MARGIN - 4, width, SVG_HEADING, heading);

	return svg_paragraph(text, MARGIN, y + 4, width, SVG_PLAIN, summary) + SECTION_GAP;
}

/* The distances stand beside the key where there is room for both, else below it. */
static int draw_foot(const struct svg *svg, struct text *text, int y, int width)
{
	const int matrix_width = svg_distances_width(svg), beside = width - matrix_width - SECTION_GAP;
	const bool below = svg_key_width(svg) > beside;
	int key_end, end;

	begin_group(text, "key");
	key_end = svg_key(svg, text, MARGIN, y, matrix_width && !below ? beside : width);
	end_group(text);
	if (!matrix_width)
		return key_end;
	begin_group(text, "distances");
	if (below)
		end = svg_distances(svg, text, MARGIN, key_end + SECTION_GAP);
	else
		end = svg_distances(svg, text, MARGIN + width - matrix_width, y);
	end_group(text);
	return end > key_end ? end : key_end;
}

/* The whole page but for its frame, `width` wide inside the margins. Returns where it ends. */
static int draw_page(struct svg *svg, struct text *text, int width, const char *heading, const char *summary)
{
	int y = draw_head(text, width, heading, summary);

	if (text) {
		svg_layout_place(&svg->layout, MARGIN, y);
		begin_group(text, "machine");
		svg_machine(svg, text);
		end_group(text);
	}
	y += svg->layout.boxes[0].height + SECTION_GAP;
	if (svg->plan && svg->plan->instance_count) {
		begin_group(text, "instances");
		y = svg_instances(svg, text, MARGIN, y, width) + SECTION_GAP;
		end_group(text);
	}
	return draw_foot(svg, text, y, width) + MARGIN;
}

static int page_width(const struct svg *svg)
{
	const int inside = svg->layout.boxes[0].width, matrix = svg_distances_width(svg);
	const int width = inside > matrix ? inside : matrix;

	return width > WIDTH_MIN ? width : WIDTH_MIN;
}

/* How far the page is from a small one of a page's shape; lower is better. */
static uint64_t page_cost(int page_px, int height_px)
{
	const uint64_t width = (uint64_t)page_px, height = (uint64_t)height_px;
	const uint64_t percent = width * 100 / height, area = width * height / 16;
	uint64_t off = 100;

	/* The narrowest page may be as low as it likes. */
	if (percent < PAGE_NARROW)
		off = (uint64_t)PAGE_NARROW * 100 / (percent + 1);
	else if (percent > PAGE_WIDE && page_px > WIDTH_MIN + 2 * MARGIN)
		off = percent * 100 / PAGE_WIDE;
	return area * off * off / 100;
}

/* Try shapes for what is inside and for the whole, and keep the one whose page comes out best. */
static void choose_shape(struct svg *svg, const char *heading, const char *summary)
{
	static const unsigned shapes[] = { 400, 280, 200, 140, 100, 70, 50 };
	uint64_t best = UINT64_MAX;
	size_t best_inner = 0, best_outer = 0;

	for (size_t inner = 0; inner < ARRAY_SIZE(shapes); inner++) {
		for (size_t outer = 0; outer < ARRAY_SIZE(shapes); outer++) {
			uint64_t cost;
			int width;

			svg_layout_measure(&svg->layout, shapes[inner], shapes[outer]);
			width = page_width(svg);
			cost = page_cost(width + 2 * MARGIN, draw_page(svg, NULL, width, heading, summary));
			if (cost >= best)
				continue;
			best = cost;
			best_inner = inner;
			best_outer = outer;
		}
	}
	svg_layout_measure(&svg->layout, shapes[best_inner], shapes[best_outer]);
}

/* "Instance 0: 4 threads, CPUs 0-3, pin threads, memory preferred, node 0." */
static void describe_instance(struct text *text, const struct plan_instance *instance)
{
	cleanup_free char *cpus = cpulist_text(instance->pus_os), *nodes = cpulist_text(instance->nodes_os);

	if (!cpus || !nodes) {
		text->failed = true;
		return;
	}
	text_add(text, " Instance %u: %u thread%s, CPU%s %s, pin %s, memory %s", instance->index, instance->threads,
		 instance->threads == 1 ? "" : "s", hwloc_bitmap_weight(instance->pus_os) == 1 ? "" : "s", cpus,
		 pin_words[instance->pin], memory_policy_words[instance->memory_policy]);
	if (*nodes)
		text_add(text, ", node%s %s", hwloc_bitmap_weight(instance->nodes_os) == 1 ? "" : "s", nodes);
	text_add(text, ".");
}

/* What a screen reader says: the machine, then who runs where. */
static void add_description(const struct svg *svg, struct text *text, const char *summary)
{
	const size_t count = svg->plan ? svg->plan->instance_count : 0;

	text_add(text, "<desc id=\"fettle-desc\">");
	svg_escape(text, summary);
	text_add(text, ".");
	for (size_t i = 0; i < count && i < TOLD_INSTANCES; i++)
		describe_instance(text, &svg->plan->instances[i]);
	if (count > TOLD_INSTANCES)
		text_add(text, " And %zu more.", count - TOLD_INSTANCES);
	text_add(text, "</desc>\n");
}

static void add_document(struct svg *svg, struct text *text, const char *heading, const char *summary)
{
	const int inside = page_width(svg), width = inside + 2 * MARGIN;
	const int height = draw_page(svg, NULL, inside, heading, summary);

	text_add(text,
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		 "role=\"img\" "
		 "aria-labelledby=\"fettle-title fettle-desc\" font-family=\"Helvetica,Arial,'Liberation Sans','DejaVu "
		 "Sans',sans-serif\" fill=\"#%06x\">\n<title id=\"fettle-title\">",
		 width, height, width, height, svg_colours.ink);
	svg_escape(text, heading);
	if (svg->plan)
		text_add(text, ": plan of %zu instance%s", svg->plan->instance_count,
			 svg->plan->instance_count == 1 ? "" : "s");
	text_add(text, "</title>\n");
	add_description(svg, text, summary);
	svg_style(text);
	text_add(text, "<rect width=\"%d\" height=\"%d\" fill=\"#%06x\"/>\n", width, height, svg_colours.paper);
	(void)draw_page(svg, text, inside, heading, summary);
	text_add(text, "</svg>\n");
}

/* Where a machine came from: the name of its file without the folders. */
static const char *source_of(const struct machine *machine)
{
	const char *slash = machine->source == MACHINE_SYNTHETIC ? NULL : strrchr(machine->source_name, '/');

	return slash && slash[1] ? slash + 1 : machine->source_name;
}

/* "AMD EPYC 7543 32-Core Processor, x86_64"; a machine without a model is called by where it came from. */
static char *heading_of(const struct machine *machine)
{
	struct text text = TEXT_INIT;

	if (machine->model || machine->source != MACHINE_LIVE)
		text_add(&text, "%.*s", MODEL_ROOM, machine->model ? machine->model : source_of(machine));
	else
		text_add(&text, "this machine");
	if (machine->architecture)
		text_add(&text, ", %.20s", machine->architecture);
	return text_take(&text);
}

char *svg_picture(const struct machine *machine, const struct plan *plan)
{
	cleanup_free char *heading = heading_of(machine), *summary = machine_summary(machine);
	struct svg svg = { .machine = machine, .plan = plan, .pus = svg_roles(machine, plan) };
	struct text text = TEXT_INIT;

	text.failed = !heading || !summary || !svg.pus || mark_kinds(&svg) < 0;
	size_cells(&svg);
	if (!text.failed && svg_layout_init(&svg.layout, machine) == 0) {
		choose_shape(&svg, heading, summary);
		add_document(&svg, &text, heading, summary);
	} else {
		text.failed = true;
	}
	svg_layout_clear(&svg.layout);
	free(svg.marks);
	free(svg.pus);
	return text_take(&text);
}
