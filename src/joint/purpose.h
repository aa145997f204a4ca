/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --for: what is worth another choice than fettle's own when it is known what the program is for. A table of options;
 * what a setting makes of the purpose stands in its family's rules.
 */
#pragma once

#include "plan/request.h"

struct layers;
struct option_found;
struct profile;

/* Add the words of a purpose's options to `layers`, but for those that the command line or the profile (NULL: none)
 * decides. Returns 0 or -ENOMEM. */
int purpose_add(enum purpose purpose, const struct option_found *command_line, const struct profile *profile,
		struct layers *layers);

/* Why its choices are made, for people. */
const char *purpose_why(enum purpose purpose);
