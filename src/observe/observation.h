/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What processes were seen to do between two looks: the struct on the arrow from observe to report. Facts only, each
 * from the kernel or from the process's own files; what could not be had stands in `gaps` with its path and reason.
 *
 * Times are nanoseconds. Of the threads and counters there is a first and a last value; what happened in the window is
 * their difference.
 */
#pragma once

#include "observe/observed_agent.h"
#include "observe/observed_process.h"
#include "settings/planned.h"

struct launch_grant;

/* A cgroup that an instance runs in. */
struct observed_cgroup {
	struct fact quota_milli, memory_limit_bytes;
	hwloc_bitmap_t cpuset_os;                              /* NULL: no cpuset says; owned */
	struct fact periods[2], throttled[2], throttled_ns[2]; /* at the first and the last look */
	struct fact used_bytes;                                /* that cannot be given back: without the page cache */
	struct fact ooms[2];                                   /* processes killed for want of memory */
};

/* An instance as planned, and what runs in it. */
struct observed_instance {
	struct planned planned; /* of one that carries no plan: all empty until whoever infers one fills it */
	char *record;           /* the FETTLE_PLAN it carries; NULL: none; owned */
	int root_idx;           /* its first process in `processes` */
	int main_idx;           /* the one that computes most in the window */
	bool ended;             /* of those that observe_request.planned tells of: none of its processes is there */
	const struct launch_grant *grant; /* what the kernel granted at its start; NULL: not known; borrowed */
	struct observed_cgroup cgroup;
	struct observed_agent *agent; /* what its processes wrote down themselves; NULL: no record; owned */
};

/* One CPU's time in ticks, and its clock. */
struct observed_cpu {
	unsigned os;
	uint64_t busy[2], idle[2], steal[2];
	bool seen[2];
	struct fact now_khz, cap_khz, hardware_khz; /* read for CPUs of a plan */
	char governor[32], driver[32];              /* empty: not known */
};

/* Another process, by what it used of the machine in the window. */
struct observed_neighbour {
	pid_t pid;
	char name[32];
	uint64_t first, last; /* ticks */
	unsigned cpu_os;      /* where it ran last */
	unsigned looked;      /* number of the look that saw it last */
};

struct observed_gap {
	char *path;
	const char *what; /* what would have been known */
	int code;         /* -errno */
};

/* Threads that were stopped to read their floating-point flags; all zero: nobody asked. */
struct observed_stops {
	unsigned asked, read;
	unsigned spared; /* not stopped: their system call would have ended early */
	uint64_t longest_ns;
	pid_t refused_pid; /* the first that could not be asked; 0: none */
	char why[160];     /* and why not */
};

struct observation {
	uint64_t first_ns, last_ns; /* when the looks were taken, on one clock */
	unsigned looks;
	uint64_t ticks_per_s;
	pid_t observer; /* our own process, which is nobody's neighbour; 0: none */

	struct observed_process *processes; /* the tree, parents first */
	size_t process_count, process_capacity;
	struct observed_instance *instances;
	size_t instance_count, instance_capacity;
	struct observed_cpu *cpus;
	size_t cpu_count, cpu_capacity;
	struct observed_neighbour *neighbours; /* by pid */
	size_t neighbour_count, neighbour_capacity;
	hwloc_bitmap_t online_os;                  /* NULL: not known */
	struct fact cpu_flags;                     /* `raw`: what the first CPU can, in the kernel's words */
	struct fact uptime_ms;                     /* since the machine started, at the last look */
	struct fact numa_balancing;                /* the kernel's setting */
	struct fact pressure_cpu, pressure_memory; /* 1/1000 percent of the last 10 s */

	struct observed_stops stops;
	struct observed_gap *gaps;
	size_t gap_count, gap_capacity;
};

void observation_free(struct observation *observation);
static inline void observation_free_(struct observation **observation)
{
	observation_free(*observation);
}
#define cleanup_observation cleanup_(observation_free_)

/* Length of the window; 0 before the second look. */
uint64_t observation_window_ns(const struct observation *observation);

/* Of the window a thread ran, or wanted to: thousandths. 0 where the window is. */
unsigned thread_ran_milli(const struct observation *observation, const struct observed_thread *thread);
unsigned thread_wanted_milli(const struct observation *observation, const struct observed_thread *thread);

/*
 * Did it compute? It wanted a CPU for at least a quarter of the window: less is housekeeping, and a pool that shares
 * one CPU four ways is still a pool.
 */
bool thread_computes(const struct observation *observation, const struct observed_thread *thread);

/*
 * Are its CPUs there to stay? oneMKL counts cores by going to each CPU in turn, and PyTorch's import does that: a mask
 * that was seen for less time may be such a step.
 */
enum { OBSERVE_SETTLE_MS = 200 };
bool thread_is_settled(const struct observed_thread *thread);

/* Has a thread whose CPUs changed in the window not had the time to settle? A look a little later tells. */
bool observation_is_unsettled(const struct observation *observation);
