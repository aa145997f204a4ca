/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fettle exits with; `run` else has the program's own (man fettle).
 */
#pragma once

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_DIFFERS = 3, /* --require: it is not as it should be */
	EXIT_OWN = 125,   /* run: fettle itself failed, not the program */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,
};
