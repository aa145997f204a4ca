/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspect_window.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "observe/observe.h"
#include "plan/plan.h"
#include "report/findings.h"

#include <time.h>

enum { SETTLE_LOOKS = 4 };

static uint64_t now_ns(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* All CPUs that the instance's threads may use between them: what fettle would have had to plan with. */
static int allowed(const struct observation *observation, int instance, hwloc_bitmap_t *ret_set)
{
	cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();

	if (!set)
		return -ENOMEM;
	for (size_t i = 0; i < observation->process_count; i++) {
		const struct observed_process *process = &observation->processes[i];

		for (size_t k = 0; process->instance_idx == instance && k < process->thread_count; k++) {
			if (process->threads[k].allowed_os &&
			    hwloc_bitmap_or(set, set, process->threads[k].allowed_os) < 0)
				return -ENOMEM;
		}
	}
	*ret_set = TAKE(set);
	return 0;
}

/* What fettle would have planned: for this machine, but with the process's CPUs in the place of our own. */
static int infer(struct machine *machine, const struct observation *observation, int instance,
		 struct planned *ret_planned)
{
	static const char *const nothing[] = { NULL };
	const struct workload workload = { .environment = nothing };
	hwloc_bitmap_t const own = machine->limits.pus_os;
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	cleanup_plan struct plan *plan = NULL;
	struct err ignored = { 0 };
	int r = allowed(observation, instance, &set);

	if (r < 0 || hwloc_bitmap_iszero(set))
		return r;
	machine->limits.pus_os = set;
	r = plan_make(machine, &workload, &plan, &ignored);
	machine->limits.pus_os = own;
	if (r < 0)
		return r == -ENOMEM ? r : 0; /* no plan for such CPUs: nothing to compare with */
	return planned_from_plan(&plan->instances[0], (unsigned)plan->instance_count, ret_planned);
}

static int infer_all(struct machine *machine, struct observation *observation)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < observation->instance_count; i++) {
		if (!observation->instances[i].planned.pus_os)
			r = infer(machine, observation, (int)i, &observation->instances[i].planned);
	}
	return r;
}

/* Look on until no thread is seen on its way from one set of CPUs to another, or it has had time enough. */
static int look_until_settled(const struct observe_request *request, struct observation *observation, struct err *err)
{
	static const struct timespec pause = { 0, (OBSERVE_SETTLE_MS + 20) * 1000000L };
	int r = observe_look(request, now_ns(), observation, err);

	for (unsigned i = 0; r == 0 && i < SETTLE_LOOKS && observation_is_unsettled(observation); i++) {
		(void)nanosleep(&pause, NULL);
		r = observe_look(request, now_ns(), observation, err);
	}
	return r;
}

int inspect_window(const struct sysroot *root, struct machine *machine, const struct inspect_request *asked,
		   struct observation **ret_observation, struct report **ret_report, struct err *err)
{
	const struct observe_request request = { .root = root,
						 .pids = asked->pids,
						 .count = asked->count,
						 .observer = getpid(),
						 .ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK),
						 .neighbours = true,
						 .denormals = asked->denormals };
	const struct timespec pause = { asked->window_ms / 1000, (long)(asked->window_ms % 1000) * 1000000 };
	cleanup_observation struct observation *observation = NULL;
	struct report_input input = { .machine = machine };
	int r = observe_start(&request, now_ns(), &observation, err);

	if (r < 0)
		return r;
	(void)nanosleep(&pause, NULL); /* cut short by a signal, the window is shorter */
	r = look_until_settled(&request, observation, err);
	if (r == 0 && infer_all(machine, observation) < 0)
		r = err_nomem(err);
	if (r == 0)
		r = observe_finish(&request, observation, err);
	input.observation = observation;
	if (r == 0)
		r = report_make(&input, ret_report, err);
	if (r == 0)
		*ret_observation = TAKE(observation);
	return r;
}
