/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --each NAME=A,B,...: a variable with a value of its own for each instance.
 */
#pragma once

struct err;
struct settings;
struct settings_input;

/* Refuse (-EINVAL) one that cannot be carried out: as many values as instances, a name that nothing else decides. */
int each_check(const struct settings_input *in, struct err *err);

/* One row an instance for each of them. Returns 0 or -ENOMEM. */
int each_rows(const struct settings_input *in, struct settings *settings);
