/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands. One row of the table says what a command is called, which
 * options it takes and what its help says; one file each carries it out.
 */
#pragma once

#include "joint/exit_code.h"
#include "joint/options.h"

struct err;
struct run_tap;
struct text;

struct invocation {
	const struct command *command;
	struct options options;
	struct option_found found; /* which of the command's tables were used */
	char *const *words;        /* what stands behind the options; NULL-terminated */
	int word_count;
	const struct run_tap *tap; /* who looks at what instances print (supervise.h); NULL: nobody */
};

struct command {
	const char *name;
	const char *summary; /* one line for the list of commands */
	const char *usage;   /* what follows the name */
	const char *about;   /* a few sentences */
	const char *example; /* one command line */
	const char *manual;  /* man page */
	const struct option_table *const *tables;
	int failure;         /* exit code when fettle itself fails */
	bool options_behind; /* options may stand behind its words, too: they are no program's */
	int (*run)(struct invocation *invocation);
};

void invocation_clear(struct invocation *invocation);

extern const struct command *const commands[]; /* NULL-terminated */

/* Options that may stand before any command. */
extern const struct option_table *const global_tables[];

/* The command of this name, or NULL and one line in `err` with the nearest right one. */
const struct command *command_find(const char *name, struct err *err);

/* Whether the command takes the options of this table. */
bool command_takes(const struct command *command, const struct option_table *table);

/* Write a command's help; `command` NULL: that of fettle itself. */
void command_help(const struct command *command, struct text *text);

int cmd_machine(struct invocation *invocation);
int cmd_doctor(struct invocation *invocation);
int cmd_plan(struct invocation *invocation);
int cmd_run(struct invocation *invocation);
int cmd_inspect(struct invocation *invocation);
int cmd_onednn(struct invocation *invocation);
int cmd_prove(struct invocation *invocation);
int cmd_ipexrun(struct invocation *invocation); /* run_cpu, too */
int cmd_help(struct invocation *invocation);
int cmd_version(struct invocation *invocation);
int cmd_completion(struct invocation *invocation);
