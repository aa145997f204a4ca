/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ipexrun and run_cpu: their words become a request and a program, and `fettle run` does the rest.
 */
#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/quote.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/output.h"
#include "joint/decide.h"
#include "joint/ipexrun.h"
#include "machine/machine.h"
#include "target/search.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The words as they are to be run. */
struct program {
	char **words; /* NULL-terminated; the texts are borrowed */
	int count;
};

static void program_clear(struct program *program)
{
	free(program->words);
}

/*
 * "cpu" before the options names the processors that ipexrun is for; "xpu" would be Intel's graphics cards. Fettle's
 * own options may stand before it, ipexrun's may not. Returns 0 or -EINVAL.
 */
static int take_backend(struct invocation *inv, struct err *err)
{
	const struct option_table *const *tables = inv->command->tables;

	if (strcmp(inv->command->name, "ipexrun") != 0 || !inv->word_count)
		return 0;
	for (size_t t = 0; tables[t]; t++) {
		if (tables[t]->foreign && inv->found.first[t])
			return 0;
	}
	if (strcmp(inv->words[0], "xpu") == 0)
		return err_set(err, -EINVAL,
			       "'ipexrun xpu' is for Intel's graphics cards, fettle is for processors only");
	if (strcmp(inv->words[0], "cpu") != 0)
		return 0;
	inv->words++;
	inv->word_count--;
	if (option_parse(tables, inv->command->name, inv->word_count, (const char *const *)inv->words, &inv->options,
			 &inv->found, err) < 0)
		return -EINVAL;
	inv->words += inv->found.next;
	inv->word_count -= inv->found.next;
	return 0;
}

static bool is_python_file(const char *name)
{
	const size_t length = strlen(name);

	return length >= 3 && strcmp(name + length - 3, ".py") == 0;
}

static bool is_command(const char *name)
{
	cleanup_search struct search search = { .name = NULL };
	char *candidate;
	bool found = false;

	if (search_begin(&search, name, environ_value((const char *const *)environ, "PATH")) < 0)
		return false;
	while (!found && search_next(&search, &candidate) > 0) {
		found = access(candidate, X_OK) == 0;
		free(candidate);
	}
	return found;
}

/* Interpreter and its options before the program's words, which stay as they are. */
static int take_program(const struct invocation *inv, struct program *program, struct err *err)
{
	const struct ipexrun *said = &inv->options.ipexrun;
	static char unbuffered[] = "-u", module[] = "-m";
	static char python3[] = "python3", python[] = "python";

	if (!inv->word_count)
		return err_set(err, -EINVAL, "no program to run; try 'fettle %s --help'", inv->command->name);
	if (said->module && said->no_python)
		return err_set(err, -EINVAL, "options '--module' and '--no-python' exclude each other");
	if (!said->module && !said->no_python && !is_python_file(inv->words[0]))
		return err_set(err, -EINVAL, "program '%s' is no .py file; --no-python runs it as it is",
			       inv->words[0]);
	program->words = calloc((size_t)inv->word_count + 4, sizeof(*program->words));
	if (!program->words)
		return err_nomem(err);
	if (!said->no_python) {
		program->words[program->count++] = is_command(python3) || !is_command(python) ? python3 : python;
		program->words[program->count++] = unbuffered;
	}
	if (said->module)
		program->words[program->count++] = module;
	for (int i = 0; i < inv->word_count; i++)
		program->words[program->count++] = inv->words[i];
	return 0;
}

/* ---- Several hosts ---- */

static unsigned count_nodes_with_cores(const struct machine *machine)
{
	unsigned count = 0;

	for (size_t n = 0; n < machine->node_count; n++) {
		bool used = false;

		for (size_t c = 0; c < machine->core_count && !used; c++)
			used = machine->cores[c].node_idx == (int)n;
		count += used;
	}
	return count ? count : 1;
}

/*
 * The command that starts the processes on their hosts, each of which takes its share of its host under fettle. It is
 * shown, not run: starting processes elsewhere is mpirun's business.
 */
static int show_distributed(const struct invocation *inv, const struct program *program)
{
	const struct ipexrun *said = &inv->options.ipexrun;
	cleanup_decision struct decision decision = { 0 };
	cleanup_text struct text text = TEXT_INIT;
	struct err err = { 0 };
	const int hosts = said->nnodes > 0 ? said->nnodes : 1;
	unsigned each = said->nprocs_per_node > 0 ? (unsigned)said->nprocs_per_node : 0;

	if (!each) {
		if (decide_machine(&inv->options, true, &decision, &err) < 0)
			return output_failure(decision.exit_code ? decision.exit_code : EXIT_OWN, &err);
		each = count_nodes_with_cores(decision.machine);
	}
	text_add(&text, "mpirun -np %u --map-by ppr:%u:node --bind-to none", (unsigned)hosts * each, each);
	if (hosts > 1) {
		text_add(&text, " --hostfile ");
		quote_word(&text, said->hostfile ? said->hostfile : "hostfile");
	}
	text_add(&text, " -x MASTER_ADDR=");
	quote_word(&text, said->master_addr && *said->master_addr ? said->master_addr : "127.0.0.1");
	text_add(&text, " -x MASTER_PORT=%d -x CCL_WORKER_COUNT=%d fettle run --slot auto --reserve %d --",
		 said->master_port ? said->master_port : 29500, said->has_ccl_worker_count ? said->ccl_worker_count : 4,
		 said->has_ccl_worker_count ? said->ccl_worker_count : 4);
	for (int i = 0; i < program->count; i++) {
		text_add(&text, " ");
		quote_word(&text, program->words[i]);
	}
	if (text.failed)
		return output_failure(EXIT_OWN, (err_nomem(&err), &err));
	output_line("'--nnodes' is left to Open MPI, which starts this%s: %s",
		    said->extra_mpi_params && *said->extra_mpi_params ? " (--extra-mpi-params are mpiexec.hydra's own)"
								      : "",
		    text.data);
	return EXIT_USAGE;
}

/* This start, as log files are named by it. */
static void write_time(char *text, size_t size)
{
	const time_t now = time(NULL);
	struct tm local;

	if (!localtime_r(&now, &local) || !strftime(text, size, "%Y%m%d%H%M%S", &local))
		(void)snprintf(text, size, "%lld", (long long)now);
}

int cmd_ipexrun(struct invocation *inv)
{
	const bool run_cpu = strcmp(inv->command->name, "run_cpu") == 0;
	cleanup_ipexrun_meaning struct ipexrun_meaning meaning = { 0 };
	cleanup_(program_clear) struct program program = { .words = NULL };
	struct err err = { 0 };
	char started[32];

	write_time(started, sizeof(started));
	if (take_backend(inv, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	if (inv->options.help) { /* behind "cpu" */
		static char ipexrun[] = "ipexrun", *const words[] = { ipexrun, NULL };

		inv->words = words;
		inv->word_count = 1;
		return cmd_help(inv);
	}
	if (take_program(inv, &program, &err) < 0)
		return output_failure(err.code == -ENOMEM ? EXIT_OWN : EXIT_USAGE, &err);
	if (inv->options.ipexrun.nnodes > 0 || inv->options.ipexrun.distributed)
		return show_distributed(inv, &program);
	if (ipexrun_translate(run_cpu, &inv->found, environ_value((const char *const *)environ, "LOCAL_WORLD_SIZE"),
			      started, &inv->options, &meaning, &err) < 0)
		return output_failure(err.code == -ENOMEM ? EXIT_OWN : EXIT_USAGE, &err);
	for (size_t i = 0; i < meaning.said.count && !inv->options.quiet; i++)
		output_line("warning: %s", meaning.said.items[i]);
	inv->words = program.words;
	inv->word_count = program.count;
	return cmd_run(inv);
}
