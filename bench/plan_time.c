/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan-time MACHINE INSTANCES REPETITIONS: times planning alone, in this process, with the machine already read: one
 * line of nanoseconds a repetition.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "settings/settings.h"

#include <stdint.h>
#include <time.h>

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int plan_once(const struct machine *machine, const struct workload *workload, int64_t *ret_ns, struct err *err)
{
	cleanup_settings struct settings *settings = NULL;
	cleanup_plan struct plan *plan = NULL;
	const int64_t start = now_ns();
	int r = plan_make(machine, workload, &plan, err);

	if (r == 0)
		r = settings_make(machine, workload, plan, &settings, err);
	*ret_ns = now_ns() - start;
	return r;
}

int main(int argc, char **argv)
{
	static const char *const no_environment[] = { NULL };
	struct workload workload = { .environment = no_environment };
	cleanup_machine struct machine *machine = NULL;
	struct err err = { 0 };
	unsigned repetitions;

	if (argc != 4 || parse_unsigned(argv[2], &workload.request.instances) < 0 ||
	    parse_unsigned(argv[3], &repetitions) < 0) {
		(void)fputs("usage: plan-time MACHINE INSTANCES REPETITIONS\n", stderr);
		return 2;
	}
	if (machine_read(argv[1], &machine, &err) < 0) {
		(void)fprintf(stderr, "plan-time: %s\n", err.text);
		return 1;
	}
	for (unsigned i = 0; i < repetitions; i++) {
		int64_t ns;

		if (plan_once(machine, &workload, &ns, &err) < 0) {
			(void)fprintf(stderr, "plan-time: %s\n", err.text);
			return 1;
		}
		(void)printf("%lld\n", (long long)ns);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
