/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a finding is written down: a row of its subject's table. A test looks at one instance and says yes only with
 * evidence; when it may speak at all stands in the row (`needs`) and is asked before it runs. "{}" in a text is what
 * the test had to say.
 *
 * A false alarm costs more than a finding that is missed: where in doubt, a test says no.
 */
#pragma once

#include "base/text.h"
#include "base/words.h"
#include "observe/observation.h"
#include "report/findings.h"

#include <stdbool.h>

enum finding_needs {
	NEEDS_PLAN = 1,         /* fettle planned it: not inferred */
	NEEDS_ANY_PLAN = 2,     /* planned or inferred */
	NEEDS_BINDING = 4,      /* the plan binds: pin is not none */
	NEEDS_COMPUTE = 8,      /* some thread of the instance computes in the window */
	NEEDS_OBJECTS = 16,     /* the main process's libraries are known */
	NEEDS_ENVIRONMENT = 32, /* and its environment */
	NEEDS_AGENT = 64        /* the agent's record was read */
};

struct finding_input {
	const struct machine *machine;
	const struct observation *observation;
	const struct observed_instance *instance;
	int instance_idx;
	const struct observed_process *main; /* the process everybody means */
	uint64_t window_ms;
	unsigned computing; /* threads of the instance that compute */
};

/* What a test says beside yes. */
struct finding_say {
	struct text detail; /* takes the place of "{}" in the row's text */
	struct text remedy; /* and in its remedy */
	struct words evidence;
	enum severity severity; /* the row's, unless the test changes it */
	unsigned shown, left_out;
	bool failed; /* memory ran out */
};

struct finding_rule {
	const char *id;
	enum severity severity;
	unsigned needs;     /* of enum finding_needs */
	unsigned window_ms; /* the shortest window it may speak of; 0: none is needed */
	bool (*test)(const struct finding_input *in, struct finding_say *say);
	const char *text;
	const char *remedy; /* NULL: nothing can be done */
	const char *next;   /* in its place where the program is over when this is read; NULL: the same */
};

struct finding_rules {
	const struct finding_rule *rows;
	size_t count;
};

/* All tables, in the order in which findings of one weight are shown. */
extern const struct finding_rules finding_cpu_rules, finding_thread_rules, finding_openmp_rules, finding_preload_rules,
	finding_agent_rules, finding_denormal_rules, finding_setting_rules, finding_memory_rules, finding_host_rules,
	finding_isa_rules;

/*
 * Apply every rule and every check to one instance, in order, into `report`. `why`: nobody saw it, and why not; NULL:
 * it was seen. Returns 0 or -ENOMEM.
 */
int report_judge(const struct finding_input *in, const char *why, struct report *report);

/* A line of evidence. Of one kind six are shown and the others counted: finding_show_rest() says how many. */
void finding_show(struct finding_say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool finding_show_some(struct finding_say *say);
void finding_show_rest(struct finding_say *say, const char *what);

/* "PATH: VALUE" of a known fact. */
void finding_show_fact(struct finding_say *say, const struct fact *fact);

/* Walk over the threads of an instance that were there at the last look; begin with { 0 }. */
struct thread_walk {
	size_t next_process, next_thread;
	const struct observed_process *process;
	const struct observed_thread *thread;
};
bool finding_next_thread(const struct observation *observation, int instance_idx, struct thread_walk *walk);

/* The list as text, into `text`. */
void finding_list(struct text *text, hwloc_const_bitmap_t set);

/*
 * Is it fettle's agent, which only writes down what a process does? Where it cannot be (a static program that a script
 * starts) nothing is wrong with the program.
 */
bool finding_is_scribe(const struct finding_input *in, const struct observed_preload *preload);

/* Is the main process a nested fettle's, which gave it CPUs of this plan by a plan of its own? Needs the environment.
 */
bool finding_is_nested(const struct finding_input *in, struct finding_say *say);

/* What a set comes to on the CPUs that are there: the kernel itself narrows masks when some go. Owned by the caller;
 * NULL: memory ran out. */
hwloc_bitmap_t finding_cpus_left(const struct finding_input *in, hwloc_const_bitmap_t set);

/*
 * Has a main thread CPUs that the program chose, beside the plan's or some of them? Of other threads those that are
 * outside have escaped, and pools that bind their workers to CPUs of the plan bind their own.
 */
bool finding_chose_cpus(const struct finding_input *in, const struct observed_agent_process *process);

/*
 * Would the program, as it ended, make smaller teams than planned, and has it never made one as large? `*ret_largest`:
 * threads that one of its runtimes started at most.
 */
bool finding_lowered_team(const struct finding_input *in, const struct observed_agent_process *process,
			  unsigned *ret_largest);

/* The value of a variable in the main process's environment, or NULL. */
const char *finding_variable(const struct finding_input *in, const char *name);

/* Share of the window in which the instance's computing threads together waited for a CPU: thousandths. */
unsigned finding_waited_milli(const struct finding_input *in);
