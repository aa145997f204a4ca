/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the host is set up and what we may do there, for people: in a few lines, or fact by fact. Nothing
 * where it was not read.
 */
#pragma once

struct colour;
struct machine;
struct text;

/* What matters most, within 80 columns. */
void machine_host_lines(const struct machine *machine, struct text *text);

/* Each fact on a line of its own, with where it was found. */
void machine_host_facts(const struct machine *machine, const struct colour *colour, struct text *text);

/* Each right and limit on a line of its own, with the call that was tried. */
void machine_may_facts(const struct machine *machine, const struct colour *colour, struct text *text);
