/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FETTLE_PLAN: the one variable that tells children, the agent, `inspect` and
 * a nested fettle what was planned for this process. The agent includes this
 * header alone, so it needs libc only and allocates nothing.
 *
 * Form, version 1: fields "key=value" between ';', in this order, e.g.
 *     1;i=0/2;cpus=0-3;mask=0-3;pin=threads;mem=preferred:0;set=OMP_NUM_THREADS,OMP_PLACES
 * `i` instance/instances; `cpus` where compute threads are meant to be; `mask` what the process may
 * use; `mem` policy:nodes; `fp=flush`: denormal numbers count as zero; `each` threads of each process, where the
 * program starts several that share them (0: that is left to it); `slot` variable:rank/ranks, where --slot auto took a
 * manager's word; `hook` what is done inside PyTorch, "word:value" between ','; `rec` where the agent writes down what
 * happens (base/agent_record.h); `told` where the hook tells what came of it (observe/hook_file.h); `pre` the file
 * names of libraries that fettle preloads besides its agent; `set` the variables fettle gave their values. A reader
 * takes the keys it knows and skips the others; a version it does not know means: no plan.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define RECORD_VARIABLE "FETTLE_PLAN"
#define RECORD_VERSION  "1;"

/* For scripts: which instance this is, from 0, and how many there are. */
#define RECORD_INSTANCE  "FETTLE_INSTANCE"
#define RECORD_INSTANCES "FETTLE_INSTANCES"

/* Are the `length` bytes at `name` one of the variables that fettle alone sets? */
static inline bool record_owns(const char *name, size_t length)
{
	static const char *const names[] = { RECORD_VARIABLE, RECORD_INSTANCE, RECORD_INSTANCES };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
			return true;
	}
	return false;
}

/*
 * Find a field. `record` is the variable's value (NULL: no plan), `key` with its '=' ("mask=").
 * Returns its value's first byte and sets `*ret_length`, or NULL.
 */
static inline const char *record_field(const char *record, const char *key, size_t *ret_length)
{
	const size_t key_length = strlen(key);

	if (!record || strncmp(record, RECORD_VERSION, sizeof(RECORD_VERSION) - 1) != 0)
		return NULL;
	for (const char *field = record + sizeof(RECORD_VERSION) - 1; *field;) {
		const size_t length = strcspn(field, ";");

		if (length >= key_length && strncmp(field, key, key_length) == 0) {
			*ret_length = length - key_length;
			return field + key_length;
		}
		field += length;
		field += *field == ';';
	}
	return NULL;
}
