/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the host is set up, for people: in a few lines, or fact by fact. Nothing where it was not read.
 */
#pragma once

struct machine;
struct text;

/* What matters most, within 80 columns. */
void machine_host_lines(const struct machine *machine, struct text *text);

/* Each fact on a line of its own, with where it was found. */
void machine_host_facts(const struct machine *machine, struct text *text);
