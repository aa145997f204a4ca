/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const struct option completion_rows[] = {
	{ "list", NULL, NULL, OPTION_FLAG, .offset = offsetof(struct options, list) },
};
static const struct option_table completion_options = { "Completion", completion_rows, 1 };

static const struct option plan_rows[] = {
	{ "why", "NAME", "explain one setting, reason or warning", OPTION_TEXT,
	  .offset = offsetof(struct options, why) },
	{ "emit", "FORM", "write it as shell, numactl, docker, kubernetes, slurm ...", OPTION_CHOICE,
	  .offset = offsetof(struct options, emit), .given = offsetof(struct options, has_emit), .words = emit_words,
	  .word_count = EMIT_COUNT },
	{ "save", "NAME|FILE", "write what was asked for as a profile", OPTION_FILE,
	  .offset = offsetof(struct options, save) },
};
static const struct option_table plan_options = { "Explaining and keeping", plan_rows, 3 };

static const struct option run_rows[] = {
	{ "plan", "FILE", "start from a plan saved by 'fettle plan --json'", OPTION_FILE,
	  .offset = offsetof(struct options, plan_file) },
	{ "demo", NULL, "run fettle's own workload; words behind it are its", OPTION_FLAG,
	  .offset = offsetof(struct options, demo) },
};
static const struct option_table run_options = { "Other sources", run_rows, ARRAY_SIZE(run_rows) };

static const struct option inspect_rows[] = {
	{ "all", NULL, "all that fettle started and we may see", OPTION_FLAG, .offset = offsetof(struct options, all) },
	{ "watch", "SECONDS", "look again every so many seconds, until it ends", OPTION_COUNT,
	  .offset = offsetof(struct options, watch_s) },
	{ "denormals", NULL, "stop each thread for some 30 us to see whether it met denormals", OPTION_FLAG,
	  .offset = offsetof(struct options, denormals) },
	{ "require", NULL, "exit with 3 when something is found", OPTION_FLAG,
	  .offset = offsetof(struct options, require) },
};
static const struct option_table inspect_options = { "Looking", inspect_rows, 4 };

static const struct option doctor_rows[] = {
	{ "require", NULL, "exit with 3 when something costs speed", OPTION_FLAG,
	  .offset = offsetof(struct options, require) },
};
static const struct option_table doctor_options = { "Judging", doctor_rows, 1 };

static const struct option onednn_rows[] = {
	{ "capacity", "N", "what the primitive cache could hold in that run", OPTION_COUNT,
	  .offset = offsetof(struct options, capacity) },
	{ "top", "N", "single primitives to name, the longest first (10)", OPTION_COUNT,
	  .offset = offsetof(struct options, top) },
	{ "folded", "FILE", "also write folded stacks for a flame graph; -: on standard output", OPTION_FILE,
	  .offset = offsetof(struct options, folded) },
	{ "save", "NAME|FILE", "keep the recommended capacity in a profile for 'run'", OPTION_FILE,
	  .offset = offsetof(struct options, save) },
	{ "keep", "FILE", "with 'run': also write oneDNN's lines to FILE", OPTION_FILE,
	  .offset = offsetof(struct options, keep) },
	{ "peak", "WORD", "compare with GFLOP/s measured here (default with 'run'), a number of them, or none",
	  OPTION_TEXT, .offset = offsetof(struct options, peak) },
};
static const struct option_table onednn_options = { "oneDNN", onednn_rows, 6 };

static const struct option prove_rows[] = {
	{ "metric", "REGEX", "what counts: the number in its (...), not the wall time", OPTION_TEXT,
	  .offset = offsetof(struct options, prove.metric) },
	{ "rate", NULL, "of that number more is better", OPTION_FLAG, .offset = offsetof(struct options, prove.rate) },
	{ "budget", "TIME", "measure so long at most: 90s, 10m (default), 1h", OPTION_TEXT,
	  .offset = offsetof(struct options, prove.budget) },
	{ "only", "ADVICE,...", "try these alone: allocator, wait=active ...", OPTION_TEXT,
	  .offset = offsetof(struct options, prove.only) },
	{ "samples", "FILE", "write every single run there, as CSV", OPTION_FILE,
	  .offset = offsetof(struct options, prove.samples) },
	{ "profile", "NAME|FILE", "keep what won as a profile for 'run'", OPTION_FILE,
	  .offset = offsetof(struct options, save) },
};
static const struct option_table prove_options = { "Measuring", prove_rows, ARRAY_SIZE(prove_rows) };

const struct option_table *const global_tables[] = { &machine_options, &common_options, &version_options, NULL };

static const struct option_table *const machine_tables[] = { &machine_options, &picture_options, &capture_options,
							     &common_options,  &help_options,    NULL };
static const struct option_table *const doctor_tables[] = { &doctor_options, &machine_options, &common_options,
							    &help_options, NULL };
static const struct option_table *const plan_tables[] = {
	&planning_options, &instance_options, &settings_options, &purpose_options, &plan_options, &machine_options,
	&picture_options,  &common_options,   &cache_options,    &help_options,    NULL
};
static const struct option_table *const run_tables[] = { &planning_options,  &instance_options, &settings_options,
							 &purpose_options,   &run_options,      &supervision_options,
							 &verifying_options, &machine_options,  &common_options,
							 &cache_options,     &help_options,     NULL };
static const struct option_table *const inspect_tables[] = { &inspect_options, &common_options, &help_options, NULL };
static const struct option_table *const onednn_tables[] = {
	&onednn_options, &planning_options, &instance_options, &settings_options, &common_options, &help_options, NULL
};
static const struct option_table *const prove_tables[] = { &prove_options, &machine_options, &common_options,
							   &help_options, NULL };
static const struct option_table *const ipexrun_tables[] = { &ipexrun_program_options,
							     &ipexrun_instance_options,
							     &ipexrun_library_options,
							     &ipexrun_distributed_options,
							     &ipexrun_code_options,
							     &ipexrun_old_options,
							     &machine_options,
							     &common_options,
							     &cache_options,
							     &help_options,
							     NULL };
static const struct option_table *const run_cpu_tables[] = { &run_cpu_program_options,
							     &run_cpu_instance_options,
							     &run_cpu_library_options,
							     &machine_options,
							     &common_options,
							     &cache_options,
							     &help_options,
							     NULL };
static const struct option_table *const plain_tables[] = { &help_options, NULL };
static const struct option_table *const completion_tables[] = { &completion_options, &help_options, NULL };

static const struct command machine_command = {
	.name = "machine",
	.summary = "what is there, and what we may use of it",
	.usage = "[options] [--] [program [args]]",
	.about = "Shows packages, NUMA nodes, caches and cores as a tree, and in one line what this process may use "
		 "of them: affinity, cpuset, memory nodes, CPU quota and memory limit. With a program named, also the "
		 "OpenMP runtimes, allocators, oneDNN and BLAS libraries it would load or could use; it is not run.",
	.example = "fettle machine --machine 'synthetic:pack:2 core:4 pu:2' --cpu-quota 1.5",
	.manual = "fettle-machine(1)",
	.tables = machine_tables,
	.failure = EXIT_FAILED,
	.run = cmd_machine,
};

static const struct command plan_command = {
	.name = "plan",
	.summary = "who would run where, with which settings, and why",
	.usage = "[options] [--] [program [args]]",
	.about = "Makes the whole decision and starts nothing. With a program named, what it is (a script, its "
		 "interpreter, static, set-user-id) is taken into account.",
	.example = "fettle plan --instances 2 --why OMP_NUM_THREADS -- python3 serve.py",
	.manual = "fettle-plan(1)",
	.tables = plan_tables,
	.failure = EXIT_FAILED,
	.run = cmd_plan,
};

static const struct command run_command = {
	.name = "run",
	.summary = "start a program under the plan",
	.usage = "[options] [--] <program> [args]",
	.about = "Plans, binds and sets, then becomes the program; with several instances it starts them all and "
		 "waits. Everything from the first word that is no option is the program's, byte for byte.",
	.example = "fettle run --instances 2 -- python3 serve.py --port 80",
	.manual = "fettle-run(1)",
	.tables = run_tables,
	.failure = EXIT_OWN,
	.run = cmd_run,
};

static const struct command doctor_command = {
	.name = "doctor",
	.summary = "what of this host costs speed, and what changes it",
	.usage = "[options] [--] [program [args]]",
	.about = "Judges host and container for deep learning: what costs speed, what is refused here, what is good; "
		 "each with evidence, its price and the command that changes it. With a program named, its libraries "
		 "are those "
		 "judged. Changes and starts nothing.",
	.example = "fettle doctor --require -- python3 serve.py",
	.manual = "fettle-doctor(1)",
	.tables = doctor_tables,
	.failure = EXIT_FAILED,
	.run = cmd_doctor,
};

static const struct command inspect_command = {
	.name = "inspect",
	.summary = "what a running program really does, and what is wrong",
	.usage = "[options] [--] <pid|name>",
	.about =
		"Looks at a running program and all its children for a second: where its threads run and which of them "
		"compute, which libraries answer, where its memory is. What differs from its plan, or from what fettle "
		"would have planned, is named, with evidence and remedy. Stops and changes nothing.",
	.example = "fettle inspect --require python3",
	.manual = "fettle-inspect(1)",
	.tables = inspect_tables,
	.failure = EXIT_FAILED,
	.options_behind = true,
	.run = cmd_inspect,
};

static const struct command onednn_command = {
	.name = "onednn",
	.summary = "where a program's time in oneDNN went, and its cache's size",
	.usage = "[options] <file>...|-|run [--] <program> [args]",
	.about = "Reads what oneDNN prints under ONEDNN_VERBOSE: time by kind and implementation, layouts, reference "
		 "kernels, and from the creations of this one run the hit rate of the primitive cache at every "
		 "capacity. Lines that are not oneDNN's are passed over. 'run' collects them from a program, whose own "
		 "output "
		 "comes out unchanged; what is told goes to standard error. With options of a plan the program is "
		 "placed as 'fettle run' would, and each instance's stream kept apart.",
	.example = "fettle onednn --save mine run -- python3 serve.py",
	.manual = "fettle-onednn(1)",
	.tables = onednn_tables,
	.failure = EXIT_FAILED,
	.run = cmd_onednn,
};

static const struct command prove_command = {
	.name = "prove",
	.summary = "measure what each piece of advice is worth here",
	.usage = "[options] [--] [program [args]]",
	.about = "Runs a program with and without each piece of advice, in blocks of a drawn order and with a run "
		 "against itself beside them, until 2 % can be told or the budget ends, and says of each: worth-it, "
		 "no-difference, harmful, not-possible or undecided. Without a program: fettle's own oneDNN workload.",
	.example = "fettle prove --budget 20m --profile best -- python3 infer.py",
	.manual = "fettle-prove(1)",
	.tables = prove_tables,
	.failure = EXIT_FAILED,
	.run = cmd_prove,
};

static const struct command ipexrun_command = {
	.name = "ipexrun",
	.summary = "scripts written for Intel's ipexrun, unchanged",
	.usage = "[cpu] [options] <program> [args]",
	.about =
		"Takes the options of ipexrun 2.8 as they are, and gives each instance the cores that ipexrun gives it "
		"wherever it does what it says. A program is a .py file; --no-python runs any other. Called by the "
		"name "
		"'ipexrun' fettle does this, too.",
	.example = "fettle ipexrun --ninstances 2 --memory-allocator jemalloc serve.py --port 80",
	.manual = "fettle-ipexrun(1)",
	.tables = ipexrun_tables,
	.failure = EXIT_OWN,
	.run = cmd_ipexrun,
};

static const struct command run_cpu_command = {
	.name = "run_cpu",
	.summary = "those for torch.backends.xeon.run_cpu",
	.usage = "[options] <program> [args]",
	.about = "Takes the options of PyTorch's torch.backends.xeon.run_cpu as they are. A program is a .py file; "
		 "--no-python runs any other. Called by the name 'torch-run-cpu' fettle does this, too.",
	.example = "fettle run_cpu --ninstances 2 --enable-tcmalloc serve.py --port 80",
	.manual = "fettle-ipexrun(1)",
	.tables = run_cpu_tables,
	.failure = EXIT_OWN,
	.run = cmd_ipexrun,
};

static const struct command help_command = {
	.name = "help",
	.summary = "this help, or that of a command",
	.usage = "[command]",
	.about = "Shows what fettle can do, or how one command is used.",
	.example = "fettle help run",
	.manual = "fettle(1)",
	.tables = plain_tables,
	.failure = EXIT_FAILED,
	.run = cmd_help,
};

static const struct command version_command = {
	.name = "version",
	.summary = "the version",
	.usage = "",
	.about = "Shows the version.",
	.example = "fettle version",
	.manual = "fettle(1)",
	.tables = plain_tables,
	.failure = EXIT_FAILED,
	.run = cmd_version,
};

static const struct command completion_command = {
	.name = "completion",
	.summary = "completions for a shell",
	.usage = "bash|zsh|fish",
	.about = "Writes the shell's completion script to standard output.",
	.example = "fettle completion bash > ~/.local/share/bash-completion/completions/fettle",
	.manual = "fettle(1)",
	.tables = completion_tables,
	.failure = EXIT_FAILED,
	.run = cmd_completion,
};

const struct command *const commands[] = {
	&machine_command,
	&doctor_command,
	&plan_command,
	&run_command,
	&inspect_command,
	&onednn_command,
	&prove_command,
	&ipexrun_command,
	&run_cpu_command,
	&help_command,
	&version_command,
	&completion_command,
	NULL,
};

void invocation_clear(struct invocation *invocation)
{
	options_clear(&invocation->options);
}

const struct command *command_find(const char *name, struct err *err)
{
	struct nearest near = { .word = name };

	for (const struct command *const *c = commands; *c; c++) {
		if (strcmp((*c)->name, name) == 0)
			return *c;
		nearest_try(&near, (*c)->name);
	}
	(void)err_set(err, -EINVAL, "unknown command '%s'%s%s%s; try 'fettle --help'", name,
		      near.best ? ", nearest is '" : "", near.best ? near.best : "", near.best ? "'" : "");
	return NULL;
}

bool command_takes(const struct command *command, const struct option_table *table)
{
	for (const struct option_table *const *t = command->tables; *t; t++) {
		if (*t == table)
			return true;
	}
	return false;
}

static void own_help(struct text *text)
{
	text_add(text, "Usage: fettle [options] <command> [options] [-- program args]\n\n");
	option_wrap(text,
		    "Gives a CPU deep-learning program the cores, memory, threads and library settings that suit "
		    "the machine it is really on, and says why.",
		    0, 0);
	text_add(text, "\nCommands:\n");
	for (const struct command *const *c = commands; *c; c++)
		text_add(text, "  %-12s %s\n", (*c)->name, (*c)->summary);
	option_help(global_tables, text);
	text_add(text, "\nExample:\n  fettle run -- python3 serve.py\n");
	text_add(text, "\n'fettle <command> --help' shows a command's options. Manual: fettle(1)\n");
}

void command_help(const struct command *command, struct text *text)
{
	if (!command) {
		own_help(text);
		return;
	}
	text_add(text, "Usage: fettle %s%s%s\n\n", command->name, *command->usage ? " " : "", command->usage);
	option_wrap(text, command->about, 0, 0);
	option_help(command->tables, text);
	text_add(text, "\nExample:\n  %s\n\nManual: %s\n", command->example, command->manual);
}
