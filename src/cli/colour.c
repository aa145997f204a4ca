/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/colour.h"

#include "joint/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct colour colour_none = { "", "", "" };

/* ECMA-48, "select graphic rendition". No hues: they clash with the user's own. */
static const struct colour colour_terminal = { "\x1b[1m", "\x1b[2m", "\x1b[0m" };

static const struct colour *of_fd(int fd)
{
	const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");

	if (!isatty(fd) || (refused && *refused) || !terminal || !*terminal || strcmp(terminal, "dumb") == 0)
		return &colour_none;
	return &colour_terminal;
}

const struct colour *colour_of(const struct options *options)
{
	return options->output ? &colour_none : of_fd(STDOUT_FILENO);
}

const struct colour *colour_of_stderr(void)
{
	return of_fd(STDERR_FILENO);
}
