/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine, or a plan for it, as an SVG picture for a report: packages,
 * nodes with their memory, L3s, cores and CPUs, what is not allowed, distances,
 * and who runs where. Pure: the same input gives the same bytes.
 *
 * Nothing is told by colour alone: an instance's number stands on its CPUs.
 */
#pragma once

struct machine;
struct plan;

/* The picture; `plan` NULL: of the machine alone. The caller frees it; NULL when memory ran out. */
char *svg_picture(const struct machine *machine, const struct plan *plan);
