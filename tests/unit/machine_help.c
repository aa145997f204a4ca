/* SPDX-License-Identifier: Apache-2.0 */
#include "machine_help.h"

#include "base/err.h"
#include "machine/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>

const char *const odd_machines[] = {
	"synthetic:pu:1",
	"synthetic:pu:3",
	"synthetic:core:5 pu:7",
	"synthetic:package:4 [numa(memory=64GB)] l3:2 core:36 pu:2",
	"synthetic:package:8 [numa(memory=64GB)] l3:8 core:8 pu:2",
	"synthetic:numa:3 package:2 l3:1 core:2 pu:1",
	"synthetic:package:2 l3:1 numa:2 core:3 pu:2",
	"synthetic:package:2 [numa] [numa(memory=1GB)] core:2 pu:1",
	NULL,
};

struct machine *read_machine(const char *spec)
{
	struct machine *machine = NULL;
	struct err err = { 0 };

	if (machine_read(spec, &machine, &err) < 0)
		fail_msg("%s: %s", spec, err.text);
	return machine;
}

void each_captured_machine(void (*look)(const char *path))
{
	const char *shared = getenv("FETTLE_SHARED");
	glob_t found = { 0 };
	char pattern[512];

	(void)snprintf(pattern, sizeof(pattern), "%s/topologies/xml/*.xml", shared ? shared : "../shared");
	if (glob(pattern, 0, NULL, &found) != 0) {
		print_message("# no captured machines at %s\n", pattern);
		skip();
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		look(found.gl_pathv[i]);
	globfree(&found);
}
