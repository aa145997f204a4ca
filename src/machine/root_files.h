/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a captured root holds nothing but files: hwloc opens by name what lies there, follows links
 * anywhere, and takes a device that never ends, once its memory is used up, for a file that is not there.
 */
#pragma once

struct err;

/*
 * Look at everything that hwloc reads below the directory `dir`. Returns 0, or -EINVAL with a line that names the
 * first thing that is neither a file nor a folder, nor a link to one. `name` is what the user calls the machine.
 */
int root_check_files(const char *dir, const char *name, struct err *err);
