/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the forms have in common: a row of the table in emit.c for each, the instances and variables they go
 * through, and comments. Inside this room only.
 */
#pragma once

#include "emit/emit.h"
#include "plan/plan.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum form_names { NAMES_ANY, NAMES_IDENTIFIER, NAMES_KUBERNETES };

struct form {
	const char *summary; /* continues "a text that ..." */
	const char *tool;    /* what reads it, for errors */
	bool utf8;           /* it holds no other bytes */
	bool program;        /* it needs the program's words */
	enum form_names names;
	/* What else cannot be said; NULL: nothing. */
	int (*refuse)(const struct emit_input *in, struct err *err);
	/* Memory that ran out shows in `text`. */
	void (*write)(const struct emit_input *in, struct text *text);
};

extern const struct form form_shell, form_numactl, form_taskset, form_docker, form_compose, form_kubernetes, form_slurm,
	form_systemd, form_openmpi, form_torchrun;

/* The instances to be written: plan->instances[form_first(in)] up to, but without, form_end(in). */
size_t form_first(const struct emit_input *in);
size_t form_end(const struct emit_input *in);

/* A variable of an instance; `value` NULL: it is taken out. */
struct variable {
	const char *name, *value;
	bool shared; /* one row of the settings says it for every instance */
};

/*
 * The next variable that the plan decides or was made from, the user's own too: whoever starts the text need not have
 * it. `*at` begins with 0. False: there is none left.
 */
bool variable_next(const struct emit_input *in, const struct plan_instance *instance, size_t *at,
		   struct variable *ret_variable);

/* Append CPU or node numbers as list text. */
void form_list(struct text *text, hwloc_const_bitmap_t set);

/* An instance's part of the CPU quota in 1/1000 CPU, and of the memory limit in bytes. False: there is none. */
bool form_quota(const struct emit_input *in, const struct plan_instance *instance, uint64_t *ret_milli);
bool form_memory_limit(const struct emit_input *in, uint64_t *ret_bytes);

/*
 * Append a comment, with the mark # before every line and lines of at most 80 columns. Whatever is no printable
 * ASCII becomes '?': no name can end the comment, whichever format it stands in.
 */
void comment_add(struct text *text, const char *indent, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The opening comment: what this is, for which machine, and the plan's warnings. */
void comment_header(const struct emit_input *in, enum emit_kind kind, const struct form *form, struct text *text);

/* One line on an instance: "28 threads on CPUs 0-27, memory preferred 0". */
void comment_instance(const struct plan_instance *instance, const char *indent, struct text *text);
