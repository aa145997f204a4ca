/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `fettle run` says on stderr: at most two lines, unless something fails
 * or -v asks for more. The program's own output must stay readable.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct decision;
struct launch_child;
struct launch_end;
struct options;

/* One line: how many threads on which CPUs. -v: each setting too. */
void run_words_plan(const struct options *options, const struct decision *decision, const struct launch_child *children,
		    size_t count);

/* One line: refusals and warnings; nothing when there are none. */
void run_words_warnings(const struct options *options, const struct decision *decision, const char *refused);

/* One line for a child that is started again. */
void run_words_restarts(unsigned index, const struct launch_end *end, uint64_t delay_ms);

/* One line for a child that failed: its index and how. */
void run_words_failed(unsigned index, const struct launch_end *end);
