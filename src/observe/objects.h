/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files a process has mapped to run code from, what their symbols say, and which of them answers for malloc and
 * for OpenMP's teams.
 */
#pragma once

#include "observe/observe.h"

/* Read maps, link map and symbols into `objects` and `owners`. Returns 0 or -ENOMEM. */
int objects_read(const struct observe_request *request, struct observation *observation,
		 struct observed_process *process);

/*
 * The order in which the process's loader has them: its own list (r_debug), read from its memory. Sets `order` and
 * `linked`, `link_map_known`. `auxv` is the text of /proc/PID/auxv. Returns 0, also where we may not, or -ENOMEM.
 */
int link_map_read(const struct observe_request *request, struct observation *observation,
		  struct observed_process *process, const unsigned char *auxv, size_t auxv_length);

/* Decide who answers for each symbol, and which objects were there at the start. Pure. */
void owners_decide(struct observed_process *process);

/*
 * Which of the libraries that LD_PRELOAD names are there, and why others are not. Needs objects and environment.
 * Returns 0 or -ENOMEM.
 */
int preloads_read(const struct observe_request *request, struct observed_process *process);

/*
 * Open a file by the path that /proc/PID/maps or exe gives. The kernel writes it as we would name it, and where the
 * file is in no place of ours (another mount namespace) as that namespace does. Returns a descriptor or -errno.
 */
int object_open(const struct observe_request *request, const struct observed_process *process, const char *path);

/* Open a file by the path the process itself would name it by, whatever its root. Returns a descriptor or -errno. */
int object_open_inside(const struct observe_request *request, const struct observed_process *process, const char *path);

/* The object whose path or name in the link map ends in this file name, or whose soname it is; -1: none. */
int object_find(const struct observed_process *process, const char *name);

void object_clear(struct observed_object *object);
