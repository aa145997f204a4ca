/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory without a name that the processes of an instance find by their FETTLE_PLAN, "field=PID:FD:COOKIE": the
 * descriptor FD of process PID, opened by way of /proc. It is gone when the last who has it open or mapped is, however
 * that ends.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Make one of `size` bytes whose name is `prefix` with the cookie, sealed as `seals` (F_SEAL_...) say. `most`: what a
 * limit on the size of files must allow, for a write beyond it would not only be refused: it sends a signal. The
 * descriptor is close-on-exec and the caller's; the calling process must live as long as others are to find it. Returns
 * 0 or -errno.
 */
int board_make(const char *prefix, size_t size, size_t most, int seals, int *ret_fd, uint64_t *ret_cookie);

/*
 * Put it, under `field` ("rec="), into the FETTLE_PLAN of an environment of which each word is owned by malloc. Without
 * one in it nothing is done. Returns 0 or -ENOMEM.
 */
int board_tell(const char *field, int fd, uint64_t cookie, char **environment);
