/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A captured root: a directory that has /sys, /proc and cgroup files as they lie on the machine
 * they come from, or hwloc's records of the CPUs' cpuid.
 */
#pragma once

struct err;
struct machine;
struct source;

/*
 * Read the machine captured in the directory `source->dir`, or in a folder one or two below it (archives have
 * one). Its limits are those of the process that made the capture, as far as it has them; machine->host is
 * filled too.
 * Returns 0, -ENOMEM, or -EINVAL, -EFBIG ... with one line.
 */
int root_read(const struct source *source, struct machine *machine, struct err *err);
