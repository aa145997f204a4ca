/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine as a tree for people: packages, nodes, L3 caches, cores. Equal things are folded
 * into one line, and lines stay within 80 columns on any machine.
 */
#pragma once

struct colour;
struct machine;

/* The lines, each ended by a newline. The caller frees them; NULL when memory ran out. */
char *machine_tree(const struct machine *machine, const struct colour *colour);
