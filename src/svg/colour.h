/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The colours of the picture. Every fill is light enough for dark letters
 * (WCAG 2: at least 4.5 to 1), and nothing depends on telling hues apart: above
 * eight instances a band below the number tells them apart, and numbers stand
 * on everything.
 */
#pragma once

struct text;

enum { SVG_COLOURS = 8, SVG_BANDS = 4 };

/* Red, green, blue as 0xrrggbb. */
struct svg_colours {
	unsigned ink, pale_ink, paper, hatch, allowed, package, memory, l3, shared;
	unsigned instances[SVG_COLOURS];
};
extern const struct svg_colours svg_colours;

/* The colour of an instance's CPUs without a compute thread: mixed with white. */
unsigned svg_tint(unsigned colour);

/* The style sheet and the hatch. */
void svg_style(struct text *text);
