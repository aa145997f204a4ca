/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_rows.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

const char *const no_environment[] = { NULL };

static char *draw(const struct plan *plan)
{
	cleanup_text struct text text = TEXT_INIT;

	for (size_t i = 0; i < plan->instance_count; i++) {
		const struct plan_instance *instance = &plan->instances[i];
		cleanup_free char *pus = cpulist_text(instance->pus_os);
		cleanup_free char *nodes = cpulist_text(instance->nodes_os);

		text_add(&text, "%s%s %u %s %s:%s", i ? " | " : "", pus, instance->threads, pin_words[instance->pin],
			 memory_policy_words[instance->memory_policy], nodes);
	}
	return text_take(&text);
}

struct machine *read_machine(const char *spec, const struct machine_narrow *narrow)
{
	struct machine *machine = NULL;
	struct err err = { 0 };
	char path[512];

	if (spec[0] == '/') {
		(void)snprintf(path, sizeof(path), "%s%s", getenv("FETTLE_TEST_DATA"), spec);
		spec = path;
	}
	if (machine_read(spec, &machine, &err) < 0 || machine_narrow(machine, narrow, &err) < 0) {
		print_error("%s: %s\n", spec, err.text);
		fail();
	}
	return machine;
}

struct plan *make(const char *spec, const struct machine_narrow *narrow, const struct request *request,
		  const char *const *environment, struct err *err)
{
	const struct workload workload = { .request = *request, .environment = environment };
	cleanup_machine struct machine *machine = read_machine(spec, narrow);
	struct plan *plan = NULL;

	return plan_make(machine, &workload, &plan, err) < 0 ? NULL : plan;
}

void expect(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *const environment[] = { rows[i].environment, NULL };
		struct err err = { 0 };
		cleanup_plan struct plan *plan =
			make(rows[i].spec, &rows[i].narrow, &rows[i].request, environment, &err);
		cleanup_free char *drawn = plan ? draw(plan) : NULL;

		if (!drawn || strcmp(drawn, rows[i].due) != 0) {
			print_error("# row %zu: got  %s\n#       due  %s\n", i, drawn ? drawn : err.text, rows[i].due);
			fail();
		}
	}
}
