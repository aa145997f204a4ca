/* SPDX-License-Identifier: Apache-2.0 */
/* What stands below the machine: what cells mean, and the distances. */
#include "svg/draw.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "machine/machine.h"
#include "machine/query.h"
#include "svg/xml.h"

#include <inttypes.h>
#include <stdio.h>

enum { KEY_GAP = 18, ROW_GAP = 5, MATRIX_MAX_NODES = 32, MATRIX_ROW = 16 };

/* The words for a role; NULL: nothing to say. */
static const char *role_words(const struct svg *svg, enum svg_role role)
{
	static const char *const words[SVG_ROLE_COUNT] = {
		[SVG_ALLOWED] = "CPU that this plan leaves unused",
		[SVG_NOT_ALLOWED] = "CPU that is not allowed",
		[SVG_COMPUTE] = "CPU of a compute thread, and its instance",
		[SVG_HELPER] = "that instance may use it too, without a compute thread",
		[SVG_SHARED] = "several instances may use it, without a compute thread",
	};

	return svg->plan || role != SVG_ALLOWED ? words[role] : "CPU (hardware thread), by the kernel's number";
}

/* A sample and its words, in rows of `width`. */
struct key {
	const struct svg *svg;
	struct text *text;
	int left, width, x, y, height;
	int widest; /* entry so far */
};

static void next_entry(struct key *key, int sample_width, const char *words, int *ret_x)
{
	const int width = sample_width + 5 + svg_width(words, SVG_SMALL);

	if (key->x > key->left && key->x + width > key->left + key->width) {
		key->x = key->left;
		key->y += key->height + ROW_GAP;
	}
	svg_words(key->text, key->x + sample_width + 5, key->y + key->height / 2 + 4, SVG_SMALL, words);
	*ret_x = key->x;
	key->x += width + KEY_GAP;
	key->widest = width > key->widest ? width : key->widest;
}

/* The first CPU of each role stands as its sample. */
static void add_roles(struct key *key)
{
	const struct svg *svg = key->svg;

	for (enum svg_role role = 0; role < SVG_ROLE_COUNT; role++) {
		for (size_t i = 0; i < svg->machine->pu_count; i++) {
			int x;

			if (svg->pus[i].role != role)
				continue;
			next_entry(key, svg->layout.pu_width, role_words(svg, role), &x);
			svg_cell(svg, key->text, x, key->y, svg->machine->pus[i].os, &svg->pus[i]);
			break;
		}
	}
}

static void add_kinds(struct key *key)
{
	const struct machine *machine = key->svg->machine;

	for (size_t k = machine->kind_count; key->svg->layout.mark_width && k-- > 0;) {
		const struct machine_kind *kind = &machine->kinds[k];
		char words[64];
		int x, length;

		length = snprintf(words, sizeof(words), "%s%s", kind->small ? "efficiency " : "",
				  machine_core_word(machine));
		if (kind->max_mhz.state == FACT_KNOWN)
			(void)snprintf(words + length, sizeof(words) - (size_t)length, ", up to %" PRIu64 " MHz",
				       kind->max_mhz.value);
		next_entry(key, 24, words, &x);
		if (!key->text)
			continue;
		text_add(key->text, "<rect class=\"f-%s\" x=\"%d\" y=\"%d\" width=\"24\" height=\"%d\" rx=\"%d\"/>\n",
			 kind->small ? "ec" : "co", x, key->y, key->height, kind->small ? 7 : 1);
		svg_words(key->text, x + 6, key->y + key->height / 2 + 3, SVG_TINY, key->svg->marks[k]);
	}
}

static struct key draw_key(const struct svg *svg, struct text *text, int x, int y, int width)
{
	struct key key = { svg, text, x, width, x, y, svg->layout.pu_height, 0 };
	int core_x;

	add_roles(&key);
	if (svg->layout.mark_width || svg->machine->siblings_unknown) {
		add_kinds(&key);
		return key;
	}
	next_entry(&key, 24, "core: the CPUs in one frame", &core_x);
	if (text)
		text_add(text, "<rect class=\"f-co\" x=\"%d\" y=\"%d\" width=\"24\" height=\"%d\" rx=\"1\"/>\n", core_x,
			 key.y, key.height);
	return key;
}

int svg_key_width(const struct svg *svg)
{
	return draw_key(svg, NULL, 0, 0, 0).widest;
}

int svg_key(const struct svg *svg, struct text *text, int x, int y, int width)
{
	const struct key key = draw_key(svg, text, x, y, width);

	return key.y + key.height;
}

enum matrix { MATRIX_NONE, MATRIX_LINE, MATRIX_TABLE };

/* A table while it is small; more nodes, or unknown distances, are told in a line. */
static enum matrix matrix_of(const struct machine *machine)
{
	if (machine->node_count < 2)
		return MATRIX_NONE;
	for (size_t i = 0; i < machine->node_count; i++) {
		if (!machine->nodes[i].distances)
			return MATRIX_LINE;
	}
	return machine->node_count > MATRIX_MAX_NODES ? MATRIX_LINE : MATRIX_TABLE;
}

static void distance_line(const struct machine *machine, char *words, size_t size)
{
	uint64_t nearest = UINT64_MAX, farthest = 0;

	for (size_t i = 0; i < machine->node_count; i++) {
		if (!machine->nodes[i].distances) {
			(void)snprintf(words, size, "Distances between the nodes are unknown");
			return;
		}
		for (size_t j = 0; j < machine->node_count; j++) {
			const uint64_t distance = machine->nodes[i].distances[j];

			nearest = i != j && distance < nearest ? distance : nearest;
			farthest = i != j && distance > farthest ? distance : farthest;
		}
	}
	(void)snprintf(words, size, "Distances: %" PRIu64 " local, %" PRIu64 " to %" PRIu64 " remote",
		       machine->nodes[0].distances[0], nearest, farthest);
}

static int column_width(const struct machine *machine)
{
	uint64_t widest = 0;
	char words[24];

	for (size_t i = 0; i < machine->node_count; i++) {
		widest = machine->nodes[i].os > widest ? machine->nodes[i].os : widest;
		for (size_t j = 0; j < machine->node_count; j++) {
			const uint64_t distance = machine->nodes[i].distances[j];

			widest = distance > widest ? distance : widest;
		}
	}
	(void)snprintf(words, sizeof(words), "%" PRIu64, widest);
	return svg_width(words, SVG_SMALL) + 10;
}

int svg_distances_width(const struct svg *svg)
{
	const int title = svg_width("Distances between nodes", SVG_BOLD);
	char words[96];
	int table;

	switch (matrix_of(svg->machine)) {
	case MATRIX_NONE:
		return 0;
	case MATRIX_LINE:
		distance_line(svg->machine, words, sizeof(words));
		return svg_width(words, SVG_PLAIN);
	default:
		table = column_width(svg->machine) * (int)(svg->machine->node_count + 1);
		return table > title ? table : title;
	}
}

static void add_number(struct text *text, int x, int y, bool head, uint64_t number)
{
	text_add(text, "<text class=\"f-%s\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%" PRIu64 "</text>",
		 svg_fonts[head ? SVG_BOLD : SVG_SMALL].name, x, y, number);
}

static int draw_matrix(const struct svg *svg, struct text *text, int x, int y)
{
	const struct machine *machine = svg->machine;
	const int column = column_width(machine);

	svg_words(text, x, y + 12, SVG_BOLD, "Distances between nodes");
	y += MATRIX_ROW + 4;
	for (size_t i = 0; i < machine->node_count; i++) {
		const struct machine_node *node = &machine->nodes[i];
		const int row_y = y + (int)(i + 1) * MATRIX_ROW, own_x = x + (int)(i + 1) * column;

		if (!text)
			continue;
		text_add(text, "<rect class=\"f-l3\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", own_x, row_y,
			 column, MATRIX_ROW);
		add_number(text, own_x + column - 5, y + 12, true, node->os);
		add_number(text, x + column - 5, row_y + 12, true, node->os);
		for (size_t j = 0; j < machine->node_count; j++)
			add_number(text, x + (int)(j + 2) * column - 5, row_y + 12, false, node->distances[j]);
		text_add(text, "\n");
	}
	return y + (int)(machine->node_count + 1) * MATRIX_ROW;
}

int svg_distances(const struct svg *svg, struct text *text, int x, int y)
{
	char words[96];

	switch (matrix_of(svg->machine)) {
	case MATRIX_NONE:
		return y;
	case MATRIX_LINE:
		distance_line(svg->machine, words, sizeof(words));
		svg_words(text, x, y + 12, SVG_PLAIN, words);
		return y + svg_line(SVG_PLAIN);
	default:
		return draw_matrix(svg, text, x, y);
	}
}
