/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --set, --unset and --no: what the user says about single settings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct settings;
struct settings_input;
struct wishes;

/* Refuse (-EINVAL) a wish that cannot be carried out, with a line that says why. */
int wishes_check(const struct wishes *wishes, struct err *err);

/* Refuse (-EINVAL) the first `length` bytes of `text` as the name of a variable that `option` is to set. */
int wishes_check_name(const char *option, const char *text, size_t length, struct err *err);

/* Was the family left out with --no? */
bool wishes_without(const struct wishes *wishes, const char *family);

/* The last --set of this variable (its value), or NULL. */
const char *wishes_set(const struct wishes *wishes, const char *name);

bool wishes_unset(const struct wishes *wishes, const char *name);

/* One row for each variable of --set and --unset. Returns 0 or -ENOMEM. */
int wishes_rows(const struct settings_input *in, struct settings *settings);
