/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What malloc_library_find() found out, remembered between two starts of fettle: at a warm start one small file is read
 * and a handful of paths are looked at, and no loader's cache is searched and no child started.
 */
#pragma once

struct malloc_library;
struct malloc_library_request;
struct words;

/*
 * What the answer depends on, as text: this very fettle, the program's loader and machine, the library's names,
 * /etc/ld.so.cache and /etc/ld.so.preload, LD_LIBRARY_PATH with its folders, and `folders` besides. The caller frees
 * it; NULL: memory ran out, or something cannot be looked at.
 */
char *malloc_kept_key(const struct malloc_library_request *request, const struct words *folders);

/* Returns 0 and the library; -ENOENT and the like: nothing is known, or the library's file has changed; -ENOMEM. */
int malloc_kept_load(const struct malloc_library_request *request, const char *key, struct malloc_library *ret_library);

/* Remember it. `file`: the library that was tried, or NULL. What cannot be remembered is not. */
void malloc_kept_store(const struct malloc_library_request *request, const char *key, const char *file,
		       const struct malloc_library *library);
