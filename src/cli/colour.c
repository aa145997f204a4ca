/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/colour.h"

#include "cli/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct colour colour_none = { "", "", "" };

/* ECMA-48, "select graphic rendition". No hues: they clash with the user's own. */
static const struct colour colour_terminal = { "\x1b[1m", "\x1b[2m", "\x1b[0m" };

const struct colour *colour_of(const struct options *options)
{
	const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");

	if (options->output || !isatty(STDOUT_FILENO) || (refused && *refused) || !terminal || !*terminal ||
	    strcmp(terminal, "dumb") == 0)
		return &colour_none;
	return &colour_terminal;
}
