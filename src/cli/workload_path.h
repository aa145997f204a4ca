/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the built-in workload is (workload/).
 */
#pragma once

struct err;

/* The caller frees it. NULL and one line: this fettle was built without it. */
char *workload_path(struct err *err);
