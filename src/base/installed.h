/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where files of ours are that are not the program itself: the agent, the archive helper.
 */
#pragma once

/*
 * Find `name` in lib/fettle beside the running program, in `build_folder` of the build tree it was started from, or
 * where it was to be installed. A path with one of the characters in `forbidden` does not count, nor one that
 * access(2) refuses for `mode`. The caller frees it; NULL: not found.
 */
char *installed_find(const char *name, const char *build_folder, const char *forbidden, int mode);
