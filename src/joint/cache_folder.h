/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where fettle may keep what it would have to find out again.
 */
#pragma once

/*
 * The user's cache folder for fettle (XDG Base Directory Specification: $XDG_CACHE_HOME, else $HOME/.cache), which may
 * not exist yet. The caller frees it. NULL: neither variable holds an absolute path, or memory ran out; then nothing is
 * kept.
 */
char *cache_folder(void);
