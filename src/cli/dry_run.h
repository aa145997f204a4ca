/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run --dry-run: exactly what run would do, in the order it would do it.
 */
#pragma once

#include <stddef.h>

struct decision;
struct launch_child;
struct launch_program;
struct text;

void dry_run_text(const struct decision *decision, const struct launch_program *program,
		  const struct launch_child *children, size_t count, struct text *text);
