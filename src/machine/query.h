/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions a planner asks of the facts. Nothing is read; nothing is decided.
 */
#pragma once

#include <stdbool.h>

struct machine;
struct machine_core;

/*
 * CPUs' worth of threads we may run: min(allowed cores, max(1, floor(quota))).
 * With `smt`, PUs are counted instead of cores. At least 1 on a machine with an allowed CPU, but 0 where only
 * the siblings, which are not known, would tell how many cores are allowed.
 */
unsigned machine_usable_threads(const struct machine *machine, bool smt);

/* What to call an element of machine->cores: "core", or "CPU" where siblings are not known. */
const char *machine_core_word(const struct machine *machine);

/* Allowed PUs of a core, lowest OS number first, into `ret_os` (room for pu_count). Returns how many. */
unsigned machine_core_allowed(const struct machine *machine, const struct machine_core *core, unsigned *ret_os);

/* The node with this OS number, or MACHINE_NONE. */
int machine_node_idx(const struct machine *machine, unsigned node_os);

/*
 * The allowed node with memory nearest to `node_idx` (itself when it has memory and is
 * allowed; ties: lowest number). MACHINE_NONE: no such node, or nothing to measure by.
 */
int machine_nearest_memory(const struct machine *machine, int node_idx);

/*
 * The node with an allowed CPU nearest to `node_idx` (ties: lowest number). MACHINE_NONE: no such node, or nothing to
 * measure by.
 */
int machine_nearest_cpus(const struct machine *machine, int node_idx);

/* May pages be put on this node: allowed, and not known to have no memory. */
bool machine_node_has_memory(const struct machine *machine, int node_idx);
