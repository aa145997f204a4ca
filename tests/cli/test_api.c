/* SPDX-License-Identifier: Apache-2.0 */
/* Uses libfettle as an outsider does: the installed header and nothing else of ours. Prints TAP. */
#include <fettle.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tests, failures;

static void check(int good, const char *what)
{
	tests++;
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", tests, what);
}

static void a_plan_outlives_its_machine(void)
{
	static const char *const limits[] = { "--allowed-cpus", "0-5", NULL };
	static const char *const options[] = { "--instances", "2", "--set=A=1", NULL };
	static const char *const environment[] = { "A=0", NULL };
	struct fettle_machine *machine = NULL;
	struct fettle_plan *plan = NULL;
	char error[FETTLE_ERROR_SIZE] = "";
	char *cpus, *json;

	check(fettle_machine_read("synthetic:core:8 pu:1", limits, &machine, error) == 0, "a machine is read");
	json = fettle_machine_json(machine);
	check(json && strstr(json, "\"fettle.machine/1\"") && strstr(json, "\"0-5\""), "and narrowed, as JSON says");
	free(json);
	check(fettle_plan_make(machine, options, environment, NULL, &plan, error) == 0, "a plan is made");
	fettle_machine_free(machine);
	check(fettle_plan_instances(plan) == 2 && fettle_plan_threads(plan, 0) == 3, "it is as asked");
	check(fettle_plan_threads(plan, 2) == 0 && !fettle_plan_cpus(plan, 2), "there is no third instance");
	cpus = fettle_plan_cpus(plan, 1);
	check(cpus && strcmp(cpus, "3-5") == 0, "the second instance has the other half");
	free(cpus);
	json = fettle_plan_json(plan);
	check(json && strstr(json, "\"fettle.plan/1\"") && strstr(json, "\"A\": \"1\""), "the plan is a document");
	free(json);
	fettle_plan_free(plan);
}

static void refusals_leave_outputs_alone_and_say_why(void)
{
	static const char *const wrong_limit[] = { "--cpu-quota", "none", NULL };
	static const char *const unknown[] = { "--instnces", "2", NULL };
	static const char *const no_option[] = { "word", NULL };
	static const char *const impossible[] = { "--instances", "3", NULL };
	struct fettle_machine *machine = NULL;
	struct fettle_plan *plan = NULL;
	char error[FETTLE_ERROR_SIZE] = "";

	check(fettle_machine_read("none.xml", NULL, &machine, error) < 0 && strstr(error, "none.xml"), "no such file");
	check(fettle_machine_read("synthetic:2", wrong_limit, &machine, error) == -EINVAL &&
		      strstr(error, "--cpu-quota"),
	      "a wrong limit is named");
	check(!machine, "no machine came out of it");
	check(fettle_machine_read("synthetic:2", NULL, &machine, NULL) == 0, "an error text need not be wanted");
	check(fettle_plan_make(machine, unknown, NULL, NULL, &plan, error) == -EINVAL && strstr(error, "--instances"),
	      "an unknown option is told its nearest");
	check(fettle_plan_make(machine, no_option, NULL, NULL, &plan, error) == -EINVAL && strstr(error, "word"),
	      "a word that is no option is refused");
	check(fettle_plan_make(machine, impossible, NULL, NULL, &plan, error) == -EINVAL &&
		      strstr(error, "--instances 2"),
	      "a wish that cannot be met is told what could");
	check(!plan, "no plan came out of it");
	fettle_machine_free(machine);
	fettle_machine_free(NULL);
	fettle_plan_free(NULL);
}

int main(void)
{
	const char *version = getenv("FETTLE_VERSION");

	check(version && strcmp(fettle_version(), version) == 0, "the version is the build's");
	a_plan_outlives_its_machine();
	refusals_leave_outputs_alone_and_say_why();
	printf("1..%d\n", tests);
	return failures != 0;
}
