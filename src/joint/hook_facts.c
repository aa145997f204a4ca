/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/hook_facts.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/installed.h"
#include "joint/decide.h"
#include "joint/framework_facts.h"
#include "joint/options.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "settings/pytorch.h"

#include <string.h>
#include <unistd.h>

/* The folder that is put on PYTHONPATH; its colons could not be quoted there. NULL: not found. */
static char *hook_folder(void)
{
	char *path = installed_find(PYTORCH_HOOK_FOLDER "/sitecustomize.py", "python", ":;,", R_OK);
	char *slash = path ? strrchr(path, '/') : NULL;

	if (slash)
		*slash = '\0';
	return path;
}

/* Read only where it is asked for. */
static const char *processor_isa(struct machine *machine)
{
	struct err err = { 0 };
	const struct fact *isa;

	if (machine_read_host(machine, 0, &err) < 0 || !machine->host)
		return NULL;
	isa = &machine->host->facts[HOST_ISA];
	return isa->state == FACT_KNOWN ? isa->raw : NULL;
}

int hook_facts_find(char *const *words, struct decision *decision, struct err *err)
{
	struct workload *workload = &decision->workload;
	const struct options *options = decision->options;
	int r;

	if (!pytorch_may_be_wanted(workload) || decision->machine->source != MACHINE_LIVE)
		return 0;
	r = framework_facts_find(words, decision, err);
	if (r < 0 || !pytorch_is_wanted(workload))
		return r;
	workload->hook.says = options->verbose;
	workload->hook.forgets = options->no_cache;
	workload->hook.quiet = options->quiet;
	if (workload->request.precision > PRECISION_F32)
		workload->hook.isa = processor_isa(decision->machine);
	if (options->has_emit) {
		workload->hook.why_not = "a text for another tool cannot bring fettle's hook along";
		return 0;
	}
	decision->hook_folder = hook_folder();
	workload->hook.folder = decision->hook_folder;
	workload->hook.why_not = decision->hook_folder ? NULL : "fettle's hook for Python was not found";
	return 0;
}
