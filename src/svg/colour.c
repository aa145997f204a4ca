/* SPDX-License-Identifier: Apache-2.0 */
#include "svg/colour.h"

#include "base/text.h"
#include "svg/xml.h"

/* Instances: the scheme "light" of Paul Tol, "Colour Schemes", SRON technical note 09-002: distinct to colour-blind
 * readers, made to be filled in behind dark letters. Neighbours in the list are far apart. */
const struct svg_colours svg_colours = {
	.ink = 0x1a1a1a,
	.pale_ink = 0x525252,
	.paper = 0xffffff,
	.hatch = 0xd9d9d9,
	.allowed = 0xffffff,
	.package = 0xf6f6f6,
	.memory = 0xe3e9f0,
	.l3 = 0xefefef,
	.shared = 0xe6e6e6,
	.instances = { 0x77aadd, 0xee8866, 0xeedd88, 0x44bb99, 0xffaabb, 0x99ddff, 0xbbcc33, 0xaaaa00 },
};

unsigned svg_tint(unsigned colour)
{
	unsigned mixed = 0;

	for (unsigned shift = 0; shift < 24; shift += 8) {
		const unsigned part = colour >> shift & 0xff;

		mixed |= (part + (255 - part) * 65 / 100) << shift;
	}
	return mixed;
}

/* The hatch of what is not allowed. */
static void add_hatch(struct text *text)
{
	text_add(text,
		 "<defs><pattern id=\"fettle-off\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
		 "<rect width=\"5\" height=\"5\" fill=\"#%06x\"/><path d=\"M-1 6L6 -1M-1 1L1 -1M4 6L6 4\" "
		 "stroke=\"#%06x\" stroke-width=\"1.2\"/></pattern></defs>\n",
		 svg_colours.paper, svg_colours.hatch);
}

/* Names begin with "f-": in a page that holds the picture its rules count for all of it. */
void svg_style(struct text *text)
{
	text_add(text, "<style>\n");
	for (unsigned f = 0; f < SVG_FONT_COUNT; f++)
		text_add(text, ".f-%s{%s}\n", svg_fonts[f].name, svg_fonts[f].css);
	text_add(text,
		 ".f-pk{fill:#%06x;stroke:#444}\n"
		 ".f-nd{fill:#%06x;stroke:#777}\n"
		 ".f-nn{fill:#%06x;stroke:#777;stroke-dasharray:4 2}\n"
		 ".f-l3{fill:#%06x;stroke:#a8a8a8}\n"
		 ".f-co{fill:#%06x;stroke:#777}\n"
		 ".f-ec{fill:#%06x;stroke:#777;stroke-dasharray:2 1.5}\n"
		 ".f-me{fill:#%06x;stroke:#7d8896}\n"
		 ".f-em{fill:none;stroke:#7d8896;stroke-dasharray:4 2}\n",
		 svg_colours.package, svg_colours.paper, svg_colours.paper, svg_colours.l3, svg_colours.paper,
		 svg_colours.paper, svg_colours.memory);
	text_add(text,
		 ".f-ok{fill:#%06x;stroke:#b4b4b4}\n"
		 ".f-off{fill:url(#fettle-off);stroke:#ccc}\n"
		 ".f-sh{fill:#%06x;stroke:#555;stroke-dasharray:2 1.5}\n"
		 ".f-pale{fill:#%06x}\n",
		 svg_colours.allowed, svg_colours.shared, svg_colours.pale_ink);
	for (unsigned c = 0; c < SVG_COLOURS; c++)
		text_add(text,
			 ".f-c%u{fill:#%06x;stroke:#444}\n"
			 ".f-t%u{fill:#%06x;stroke:#444;stroke-dasharray:2 1.5}\n",
			 c, svg_colours.instances[c], c, svg_tint(svg_colours.instances[c]));
	/* The band below the number: none, solid, dashed, dotted. */
	text_add(text,
		 ".f-b1,.f-b2,.f-b3{stroke:#%06x;stroke-width:3}\n.f-b2{stroke-dasharray:6 3}\n"
		 ".f-b3{stroke-dasharray:2 2}\n</style>\n",
		 svg_colours.ink);
	add_hatch(text);
}
