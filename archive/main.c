/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include "base/archive_wire.h"
#include "base/err.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int pack_and_answer(const char *filter)
{
	struct err err = { .code = 0 };

	if (pack(filter, ARCHIVE_WIRE_FD, ARCHIVE_FILE_FD, &err) < 0) {
		answer("no", err.text);
		return 1;
	}
	answer("ok", "");
	return 0;
}

int main(int argc, char **argv)
{
	/* fettle alone says when to stop: what was unpacked must be removed after a Ctrl-C too. */
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	/* libarchive converts names only with a locale that can hold them. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	if (argc == 2 && strcmp(argv[1], "unpack") == 0)
		return guard_unpacking();
	if (argc == 3 && strcmp(argv[1], "pack") == 0)
		return pack_and_answer(argv[2]);
	(void)fputs("fettle-archive is a part of fettle and is started by it\n", stderr);
	return 2;
}
