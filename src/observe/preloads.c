/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/objects.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/environ.h"
#include "settings/preload.h"
#include "target/elf_dynamic.h"
#include "target/tree.h"

#include <errno.h>
#include <string.h>

/* Set-user-id programs and those with capabilities take only names without a slash, and only of trusted folders. */
static void explain_process(const struct observed_process *process, struct observed_preload *preload)
{
	const char *why = NULL;

	if (process->statically_linked)
		why = "the program is linked statically: no loader reads LD_PRELOAD";
	else if (process->secure)
		why = "the program runs with another's rights (set-user-id): its loader ignores LD_PRELOAD";
	preload->unusable = why != NULL;
	if (why)
		(void)snprintf(preload->why, sizeof(preload->why), "%s", why);
}

/* What is wrong with the file itself. */
static int explain_file(const struct observe_request *request, const struct observed_process *process,
			struct observed_preload *preload)
{
	cleanup_elf_dynamic struct elf_dynamic dynamic = { 0 }, own = { 0 };
	cleanup_close int fd = -1, program = -1;
	int r;

	if (preload->name[0] != '/' || strchr(preload->name, '$')) {
		(void)snprintf(preload->why, sizeof(preload->why), "its loader did not find it by this name");
		return 0;
	}
	fd = object_open_inside(request, process, preload->name);
	if (fd < 0) {
		(void)snprintf(preload->why, sizeof(preload->why), "%s",
			       fd == -ENOENT ? "there is no such file" : strerror(-fd));
		return 0;
	}
	r = elf_dynamic_read(fd, &dynamic);
	if (r == -ENOMEM)
		return r;
	preload->unusable = true;
	if (r < 0) {
		(void)snprintf(preload->why, sizeof(preload->why), "it is no library");
		return 0;
	}
	program = process->program ? object_open(request, process, process->program) : -1;
	if (program >= 0 && elf_dynamic_read(program, &own) == 0 &&
	    (own.machine != dynamic.machine || own.class != dynamic.class || own.big != dynamic.big)) {
		(void)snprintf(preload->why, sizeof(preload->why),
			       "it is for another architecture (ELF machine %u, %u bits; the program: %u, %u bits)",
			       dynamic.machine, dynamic.class, own.machine, own.class);
		return 0;
	}
	preload->unusable = false;
	(void)snprintf(
		preload->why, sizeof(preload->why),
		"the file is there and was not loaded: its loader refused it, or it came later than the program");
	return 0;
}

static int add(const struct observe_request *request, struct observed_process *process, const char *name)
{
	struct observed_preload preload = { .object_idx = object_find(process, name) };
	struct observed_preload *grown;
	int r = 0;

	grown = array_grow(process->preloads, &process->preload_capacity, process->preload_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	process->preloads = grown;
	preload.name = strdup(name);
	if (!preload.name)
		return -ENOMEM;
	if (preload.object_idx < 0) {
		explain_process(process, &preload);
		if (!preload.unusable)
			r = explain_file(request, process, &preload);
	}
	grown[process->preload_count++] = preload;
	return r;
}

int preloads_read(const struct observe_request *request, struct observed_process *process)
{
	const char *value = environ_value((const char *const *)process->environment, "LD_PRELOAD");
	cleanup_free char *list = value ? strdup(value) : NULL;
	char *save = NULL;

	if (value && !list)
		return -ENOMEM;
	if (!value || !process->objects_known)
		return 0;
	for (char *name = strtok_r(list, PRELOAD_SEPARATORS, &save); name;
	     name = strtok_r(NULL, PRELOAD_SEPARATORS, &save)) {
		if (add(request, process, name) < 0)
			return -ENOMEM;
	}
	/* What is preloaded comes first: that decides who answers. */
	owners_decide(process);
	return 0;
}
