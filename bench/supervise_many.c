/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervise-many COUNT PROGRAM [ARGS]: what `fettle run --instances COUNT` does, on a machine with fewer CPUs: the plan
 * and the settings are made for a synthetic machine of COUNT cores, then each instance is bound to one of the CPUs that
 * are there. Exits as fettle would.
 */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "launch/supervise.h"
#include "machine/limits.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "settings/settings.h"

#include <sys/wait.h>

struct many {
	struct machine *machine;
	struct plan *plan;
	struct settings *settings;
	struct launch_child *children;
	struct launch_end *ends;
	size_t count;
};

static int decide(unsigned count, struct many *many, struct err *err)
{
	const struct workload workload = { .request = { .instances = count, .threads = 1 },
					   .environment = (const char *const *)environ };
	char name[64];
	int r;

	(void)snprintf(name, sizeof(name), "synthetic:core:%u pu:1", count);
	r = machine_read(name, &many->machine, err);
	if (r == 0)
		r = plan_make(many->machine, &workload, &many->plan, err);
	if (r == 0)
		r = settings_make(many->machine, &workload, many->plan, &many->settings, err);
	many->count = count;
	many->children = calloc(count, sizeof(*many->children));
	many->ends = calloc(count, sizeof(*many->ends));
	return r == 0 && (!many->children || !many->ends) ? err_nomem(err) : r;
}

/* On the CPUs that are there, in turn. */
static int place(struct many *many, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t cpus = limits_affinity();
	const int cpu_count = cpus ? hwloc_bitmap_weight(cpus) : 0;

	if (cpu_count < 1)
		return err_set(err, -EIO, "no CPUs");
	for (size_t i = 0; i < many->count; i++) {
		struct plan_instance *instance = &many->plan->instances[i];
		char **environment;
		int r = settings_environment(many->settings, (unsigned)i, (const char *const *)environ, &environment,
					     err);

		if (r < 0)
			return r;
		hwloc_bitmap_only(instance->mask_os, (unsigned)cpulist_nth(cpus, (unsigned)i % (unsigned)cpu_count));
		many->children[i] = (struct launch_child){ .instance = instance, .environment = environment };
	}
	return 0;
}

static void clear(struct many *many)
{
	for (size_t i = 0; many->children && many->ends && i < many->count; i++) {
		environment_free((char **)many->children[i].environment);
		launch_grant_clear(&many->ends[i].grant);
	}
	free(many->children);
	free(many->ends);
	settings_free(many->settings);
	plan_free(many->plan);
	machine_free(many->machine);
}

static int supervise(const struct many *many, char **argv, struct err *err)
{
	const struct launch_program program = { .path = argv[0], .argv = argv };
	const struct launch_watch watch = { .tell = NULL };
	struct launch_orders orders = { .fail = LAUNCH_STOP };
	struct launch_outcome outcome = { .first_failed = -1 };
	int status = 0, r;

	r = launch_guard(&orders.guard_fd, &status, err);
	if (r > 0)
		return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
	if (r == 0)
		r = launch_supervise(&program, many->children, many->count, &orders, &watch, many->ends, &outcome, err);
	return r < 0 ? r : outcome.first_failed >= 0;
}

int main(int argc, char **argv)
{
	cleanup_(clear) struct many many = { .count = 0 };
	struct err err = { 0 };
	unsigned count;
	int r;

	if (argc < 3 || parse_unsigned(argv[1], &count) < 0 || !count) {
		(void)fputs("usage: supervise-many COUNT PROGRAM [ARGS]\n", stderr);
		return 2;
	}
	r = decide(count, &many, &err);
	if (r == 0)
		r = place(&many, &err);
	if (r == 0)
		r = supervise(&many, argv + 2, &err);
	if (r < 0)
		(void)fprintf(stderr, "supervise-many: %s\n", err.text);
	return r < 0 ? 125 : r;
}
