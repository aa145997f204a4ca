/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processor reaches in single precision: the best of some products of two matrices of 2048 by oneDNN
 * (workload/product.c), by one process with the environment and the CPUs that fettle was started with. A large product
 * is the kernel that libraries tune most; a convolution may come to a few percent more.
 */
#pragma once

struct err;

/* Measure for about half a second. Returns 0 and GFLOP/s, or -errno: there is no workload, or it did not end as it
 * should. Starts a process and waits for it (launch_piped()). */
int peak_measure(double *ret_gflops, struct err *err);
