/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same plan in the words of another tool: a script, a manifest, a unit that does without fettle what 'fettle run'
 * would do. Pure: text in memory, the same for the same input. What a tool has no word for is said in a comment
 * of the text, or refused where leaving it out would compute or place something else than was planned.
 */
#pragma once

struct err;
struct machine;
struct plan;
struct settings;
struct text;
struct workload;

enum emit_kind {
	EMIT_SHELL,
	EMIT_NUMACTL,
	EMIT_TASKSET,
	EMIT_DOCKER,
	EMIT_COMPOSE,
	EMIT_KUBERNETES,
	EMIT_SLURM,
	EMIT_SYSTEMD,
	EMIT_OPENMPI,
	EMIT_TORCHRUN,
};
enum { EMIT_COUNT = 10 };

/* The words of --emit, indexed by the enum. */
extern const char *const emit_words[];

/* Borrowed, all of it. With request.has_instance that instance alone is written. */
struct emit_input {
	const struct machine *machine;
	const struct workload *workload;
	const struct plan *plan;
	const struct settings *settings;
	char *const *words; /* the program's, NULL-terminated; none: the script's own, or the image's command */
	const char *path;   /* the program's file on this machine; NULL: not looked for, or not found */
	const char *folder; /* where relative paths start, absolute; NULL: not known */
};

/*
 * Append the form to `text`. Returns 0; -EINVAL and one line for what the form cannot hold (a name that is not UTF-8,
 * a policy without a word for it); -ENOMEM. Any thread; nothing is kept.
 */
int emit_form(const struct emit_input *in, enum emit_kind kind, struct text *text, struct err *err);
