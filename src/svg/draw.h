/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of the picture. Each takes a NULL text for "only measure" and
 * returns where it ends.
 */
#pragma once

#include "svg/layout.h"
#include "svg/role.h"

struct text;

struct svg {
	const struct machine *machine;
	const struct plan *plan; /* NULL: none */
	struct svg_pu *pus;      /* as machine->pus */
	struct svg_layout layout;
	char (*marks)[16]; /* of each kind of core: "P", "E1" ... */
};

/* One CPU's cell with its number, who runs there, and a tooltip. */
void svg_cell(const struct svg *svg, struct text *text, int x, int y, unsigned pu_os, const struct svg_pu *pu);

/* Packages, nodes, L3s, cores and CPUs, where svg->layout has them. */
void svg_machine(const struct svg *svg, struct text *text);

/* The band that tells an instance from those of the same colour, along the bottom of its cell or swatch. */
void svg_band(struct text *text, unsigned instance, int x, int y, int width, int height);

/* What cells and frames mean, as far as they occur: the least width it takes, and, drawn, the y where it ends. */
int svg_key_width(const struct svg *svg);
int svg_key(const struct svg *svg, struct text *text, int x, int y, int width);

/* The plan's instances; svg->plan is not NULL. Returns the y where it ends. */
int svg_instances(const struct svg *svg, struct text *text, int x, int y, int width);

/* Distances between nodes: the width they take (0: there are none to show), and, drawn, the y where they end. */
int svg_distances_width(const struct svg *svg);
int svg_distances(const struct svg *svg, struct text *text, int x, int y);
