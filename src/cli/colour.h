/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A little emphasis for a terminal: headings bold, what is not for us dim.
 * Words alone say everything; whoever reads a pipe or a file gets only them.
 */
#pragma once

struct options;

/* What to write before and after emphasized words; all empty where there is to be none. */
struct colour {
	const char *bold, *dim, *off;
};

extern const struct colour colour_none;

/*
 * For a command's result: emphasis when it goes to a terminal, unless NO_COLOR is set and not
 * empty (https://no-color.org) or TERM is unset or "dumb".
 */
const struct colour *colour_of(const struct options *options);

/* The same for what goes to standard error. */
const struct colour *colour_of_stderr(void);
