/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers for a function: of the objects that were loaded before any code of the program ran, the first in the
 * loader's order that has it; that one is seen by all code in the process. Where none of those has it, a library that
 * was opened later, and which with RTLD_LOCAL (Python's way) only those see that were opened with it.
 */
#include "observe/objects.h"

#include "base/cleanup.h"
#include "target/tree.h"

#include <errno.h>
#include <string.h>

/* Is the object what `name` among another's needs means? */
static bool serves(const struct observed_object *object, const char *name)
{
	return (object->soname && strcmp(object->soname, name) == 0) ||
	       strcmp(tree_name(object->path), tree_name(name)) == 0 ||
	       (object->linked && strcmp(tree_name(object->linked), tree_name(name)) == 0);
}

static struct observed_object *find(struct observed_process *process, const char *name)
{
	for (size_t i = 0; i < process->object_count; i++) {
		if (serves(&process->objects[i], name))
			return &process->objects[i];
	}
	return NULL;
}

static bool is_program(const struct observed_process *process, const struct observed_object *object)
{
	return object->order == 0 || (process->program && strcmp(process->program, object->path) == 0);
}

/* The program, what is preloaded, and what those need. */
static void mark_start(struct observed_process *process)
{
	bool more = true;

	for (size_t i = 0; i < process->object_count; i++)
		process->objects[i].at_start = is_program(process, &process->objects[i]);
	for (size_t i = 0; i < process->preload_count; i++) {
		if (process->preloads[i].object_idx >= 0)
			process->objects[process->preloads[i].object_idx].at_start = true;
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < process->object_count; i++) {
			const struct observed_object *object = &process->objects[i];

			for (size_t n = 0; object->at_start && n < object->needed.count; n++) {
				struct observed_object *needed = find(process, object->needed.items[n]);

				if (needed && !needed->at_start)
					needed->at_start = more = true;
			}
		}
	}
}

/* Does `a` come before `b`? Without the loader's list: what is preloaded first, by its place in LD_PRELOAD. */
static bool comes_first(const struct observed_process *process, int a, int b)
{
	const struct observed_object *first = &process->objects[a], *second = &process->objects[b];

	if (process->link_map_known)
		return first->order >= 0 && (second->order < 0 || first->order < second->order);
	if (is_program(process, first) || is_program(process, second))
		return is_program(process, first);
	for (size_t i = 0; i < process->preload_count; i++) {
		if (process->preloads[i].object_idx == a)
			return true;
		if (process->preloads[i].object_idx == b)
			return false;
	}
	return false;
}

static bool is_preloaded(const struct observed_process *process, int object_idx)
{
	for (size_t i = 0; i < process->preload_count; i++) {
		if (process->preloads[i].object_idx == object_idx)
			return true;
	}
	return false;
}

static struct observed_owner decide(const struct observed_process *process, enum observed_symbol symbol)
{
	struct observed_owner owner = { .object_idx = -1 };
	unsigned at_start = 0;
	bool blind = false;

	for (size_t i = 0; i < process->object_count; i++) {
		const struct observed_object *object = &process->objects[i];
		bool better;

		blind |= !object->symbols_known && object->library;
		if (!object->defines[symbol])
			continue;
		owner.definers++;
		at_start += object->at_start;
		better = object->at_start ? at_start == 1 || comes_first(process, (int)i, owner.object_idx)
					  : owner.definers == 1;
		if (better)
			owner.object_idx = (int)i;
	}
	owner.known = true;
	owner.for_all = at_start > 0;
	if (at_start > 1 && !process->link_map_known && !is_preloaded(process, owner.object_idx) &&
	    !is_program(process, &process->objects[owner.object_idx])) {
		owner.known = false;
		owner.why = "several libraries have it, and the loader's order may not be read (it takes the right to "
			    "trace)";
	} else if (!at_start && owner.definers > 1) {
		owner.known = false;
		owner.why = "several libraries that were opened later have it, each for those opened with it";
	} else if (blind) {
		owner.known = owner.for_all && process->link_map_known;
		owner.why = "the symbols of a library that was replaced or is out of our sight cannot be read";
	}
	if (!owner.known)
		owner.object_idx = -1;
	return owner;
}

void owners_decide(struct observed_process *process)
{
	mark_start(process);
	for (enum observed_symbol symbol = 0; symbol < SYMBOL_COUNT; symbol++) {
		process->owners[symbol] = decide(process, symbol);
		if (process->objects_known)
			continue;
		process->owners[symbol] =
			(struct observed_owner){ .object_idx = -1,
						 .why = "the libraries of the process may not be read" };
	}
}
