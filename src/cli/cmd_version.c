/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/output.h"

int cmd_version(struct invocation *invocation)
{
	if (invocation->word_count) {
		output_line("unexpected '%s'; try 'fettle version --help'", invocation->words[0]);
		return EXIT_USAGE;
	}
	return output_result(invocation, "fettle " FETTLE_VERSION "\n");
}
