/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machines for tests: by their --machine words, and all of the shared captures.
 */
#pragma once

struct machine;

/* Read it, or fail the test with what machine_read() says. */
struct machine *read_machine(const char *spec);

/* Synthetic machines with one PU, without nodes, with many, with nodes above and below packages; ends with NULL. */
extern const char *const odd_machines[];

/* Hand each captured machine's XML file to `look`; skips the test, saying so, where there are none. */
void each_captured_machine(void (*look)(const char *path));
