/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a run went, as a table on stderr.
 */
#pragma once

struct run;

void run_table_print(const struct run *run);
