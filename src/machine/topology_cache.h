/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topology of this machine, remembered between two starts of fettle: hwloc reads some twenty files a
 * CPU to find it out. See base/keep.h for how, topology_key.h for what it depends on.
 */
#pragma once

struct machine;

/*
 * Fill `machine` (zeroed but for its source; limits become empty sets). Returns 0; -ENOENT: nothing is remembered;
 * -EPERM: folder or file is another's, or another may write to it; -ESTALE: it was stored with another key; -EBADMSG:
 * it is torn; -ENOMEM or the errno of a failed read. After a failure `machine` is untouched.
 */
int topology_cache_load(const char *folder, const char *key, struct machine *machine);

/* Remember it. Returns 0 or -errno. */
int topology_cache_store(const char *folder, const char *key, const struct machine *machine);
