/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What topology_fill() found out, as bytes and back. For one program to read what it wrote itself on the
 * same machine: native byte order, no versions. Limits are not in it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct machine;
struct text;

/* Append the topology of `machine` (model, PUs, cores, nodes, packages, caches, kinds). */
void topology_pack(const struct machine *machine, struct text *bytes);

/*
 * Fill `machine` (zeroed but for its source) from what topology_pack() wrote; its limits become empty sets.
 * Returns 0; -EBADMSG when the bytes are not that, whatever they are; -ENOMEM. After a failure the machine holds a part
 * of it: free it with machine_free().
 */
int topology_unpack(const void *bytes, size_t length, struct machine *machine);
