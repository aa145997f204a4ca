/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fettle tells its children, and what it clears away of an outer
 * fettle's. Comes last: it names the variables that all other rows set.
 */
#pragma once

struct settings;
struct settings_input;

/*
 * Variables an outer fettle set and this one does not: taken out again, or given back their user's part.
 * Returns 0 or -ENOMEM.
 */
int record_clear_outer(const struct settings_input *in, struct settings *settings);

/* FETTLE_PLAN for each instance (base/record.h). Returns 0 or -ENOMEM. */
int record_rows(const struct settings_input *in, struct settings *settings);

/* Take a name out of a record's "set=", in place: fettle does not set that variable after all. */
void record_forget(char *record, const char *name);
