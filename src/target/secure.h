/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a program get other rights than ours when it is started? The kernel marks it then (AT_SECURE), and
 * its dynamic loader drops LD_PRELOAD, LD_LIBRARY_PATH and GLIBC_TUNABLES. Decided as the kernel does it, for the
 * process we are: its ids, its bounding set and its no_new_privs count.
 */
#pragma once

#include <stdbool.h>

/*
 * The program is the open file `fd`, for which O_PATH is enough. False also where nothing can be found out about it.
 * An owner that our user namespace does not know counts as another, though the kernel gives nobody his rights.
 */
bool secure_start(int fd);
