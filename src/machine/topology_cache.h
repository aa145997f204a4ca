/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topology of this machine, remembered between two starts of fettle: hwloc reads some twenty files a
 * CPU to find it out. What is remembered is used only under the very key it was stored with.
 *
 * The folder holds a few files, each named by its key's hash, so that hosts that share a home folder do not
 * get in each other's way and old boots leave nothing behind for long. It and its files must be ours and
 * writable by nobody else.
 */
#pragma once

struct machine;

/*
 * Fill `machine` (zeroed but for its source; limits become empty sets). Returns 0; -ENOENT: nothing is remembered;
 * -EPERM: folder or file is another's, or another may write to it; -ESTALE: it was stored with another key; -EBADMSG:
 * it is torn; -ENOMEM or the errno of a failed read. After a failure `machine` is untouched.
 */
int topology_cache_load(const char *folder, const char *key, struct machine *machine);

/* Remember it, making the folder (0700) if need be; a reader sees the old file or the whole new one. Returns 0 or
 * -errno. */
int topology_cache_store(const char *folder, const char *key, const struct machine *machine);
