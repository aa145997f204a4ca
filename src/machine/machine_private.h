/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this room share beyond machine.h.
 */
#pragma once

struct machine;

/* Choose each core's home node anew: which nodes are allowed has changed. */
void machine_choose_homes(struct machine *machine);
