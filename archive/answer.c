/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include "base/archive_wire.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void answer(const char *word, const char *text)
{
	char line[ARCHIVE_ANSWER_MAX];

	(void)snprintf(line, sizeof(line), "%s %s\n", word, text);
	/* Names from an archive must not end the line, or speak to a terminal. */
	for (char *c = line; c[0] && c[1]; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	(void)send(ARCHIVE_WIRE_FD, line, strlen(line), MSG_NOSIGNAL);
}
