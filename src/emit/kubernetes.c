/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod an instance. A manifest cannot name CPUs: the kubelet's static CPU manager picks them, for pods of the class
 * Guaranteed that ask for whole CPUs (kubernetes.io, Control CPU Management Policies on the Node). So only what holds
 * on any CPUs is written; what names this machine's is left out, and the pod says how to have it.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/record.h"
#include "base/text.h"
#include "emit/container.h"
#include "emit/form.h"
#include "emit/memory.h"
#include "emit/yaml.h"
#include "machine/machine.h"
#include "settings/preload.h"
#include "settings/rule.h"

#include <inttypes.h>
#include <string.h>

/* Variables that name CPUs by the kernel's numbers, or that pin threads to what those name. */
static const char *const of_this_machine[] = { "OMP_PLACES", "OMP_PROC_BIND", "KMP_AFFINITY", "GOMP_CPU_AFFINITY",
					       RECORD_VARIABLE };

static bool is_of_this_machine(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(of_this_machine); i++) {
		if (strcmp(name, of_this_machine[i]) == 0)
			return true;
	}
	return false;
}

/* A preload list without the agent, which does nothing where it is told no plan. */
static void add_without_agent(const char *list, struct text *text)
{
	const size_t own = strlen(preload_agent.name);

	while (*(list += strspn(list, PRELOAD_SEPARATORS))) {
		const size_t length = strcspn(list, PRELOAD_SEPARATORS);

		if (length < own || memcmp(list + length - own, preload_agent.name, own) != 0) {
			text_add(text, "%s", text->length ? ":" : "");
			text_add_bytes(text, list, length);
		}
		list += length;
	}
}

static int refuse(const struct emit_input *in, struct err *err)
{
	if (!settings_find(in->settings, setting_flush, (unsigned)form_first(in)))
		return 0;
	(void)err_set(
		err, -EINVAL,
		"--flush-denormals is done by fettle's agent, which is told a plan for CPUs that a pod cannot name");
	return err_hint(err, "possible: 'fettle run --flush-denormals' as the pod's command");
}

/* Hardware threads of all cores that have a CPU of the set. */
static unsigned whole_cores(const struct machine *machine, hwloc_const_bitmap_t pus_os)
{
	unsigned count = 0;

	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];
		bool ours = false;

		for (unsigned k = 0; k < core->pu_count && !ours; k++)
			ours = hwloc_bitmap_isset(pus_os, machine->pus[core->pu_idx + k].os);
		count += ours ? core->pu_count : 0;
	}
	return count;
}

/* What the pod asks for: whole cores, or under a quota a CPU a thread. */
static unsigned cpus_of(const struct emit_input *in, const struct plan_instance *instance)
{
	const unsigned cores =
		whole_cores(in->machine, instance->pin == PIN_NONE ? instance->pus_os : instance->mask_os);

	return in->machine->limits.quota_milli.state == FACT_KNOWN || !cores ? instance->threads : cores;
}

/* The instance's part of the memory limit, else of the machine's memory without an eighth, which the system and the
 * kubelet need. 0: not known. */
static uint64_t memory_mib(const struct emit_input *in)
{
	const struct machine *machine = in->machine;
	uint64_t bytes = 0;

	if (form_memory_limit(in, &bytes))
		return bytes >> 20;
	for (size_t i = 0; i < machine->node_count; i++) {
		if (machine->nodes[i].memory_bytes.state == FACT_KNOWN &&
		    hwloc_bitmap_isset(machine->limits.nodes_os, machine->nodes[i].os))
			bytes += machine->nodes[i].memory_bytes.value;
	}
	return (bytes - bytes / 8) / in->plan->instance_count >> 20;
}

/* The value that holds in a pod; false: none of it does. `room` holds it where it is not the variable's own. */
static bool value_for_pod(const struct variable *variable, struct text *room, const char **ret_value)
{
	*ret_value = variable->value;
	if (!variable->value || is_of_this_machine(variable->name))
		return false;
	if (strcmp(variable->name, "LD_PRELOAD") != 0)
		return true;
	add_without_agent(variable->value, room);
	*ret_value = room->data;
	return room->length > 0;
}

static void add_environment(const struct emit_input *in, const struct plan_instance *instance, struct text *text)
{
	const char *heading = "      env:\n";
	cleanup_text struct text left_out = TEXT_INIT;
	struct variable variable;

	for (size_t at = 0; variable_next(in, instance, &at, &variable);) {
		cleanup_text struct text room = TEXT_INIT;
		const char *value;

		if (!value_for_pod(&variable, &room, &value)) {
			text_add(&left_out, "%s%s%s", left_out.length ? ", " : "", variable.name,
				 variable.value ? "" : " (to be unset)");
			continue;
		}
		text_add(text, "%s        - name: ", heading);
		yaml_add(text, variable.name, false);
		text_add(text, "\n          value: ");
		yaml_add(text, value, true);
		text_add(text, "\n");
		heading = "";
		text->failed |= room.failed;
	}
	if (left_out.data)
		comment_add(text, "      ", "Left out, as good on the planned CPUs alone or not to be said here: %s",
			    left_out.data);
	text->failed |= left_out.failed;
}

static void add_resources(const struct emit_input *in, const struct plan_instance *instance, struct text *text)
{
	static const char *const kinds[] = { "requests", "limits" };
	const uint64_t mib = memory_mib(in);

	text_add(text, "      resources:\n");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		text_add(text, "        %s:\n          cpu: \"%u\"\n          memory: %" PRIu64 "Mi\n", kinds[i],
			 cpus_of(in, instance), mib ? mib : 1024);
}

static void add_pod(const struct emit_input *in, const struct plan_instance *instance, struct text *text)
{
	const char *comma = "";

	text_add(text, "---\n");
	comment_instance(instance, "", text);
	text_add(text,
		 "apiVersion: v1\n"
		 "kind: Pod\n"
		 "metadata:\n"
		 "  name: fettle-%u\n"
		 "  labels:\n"
		 "    app.kubernetes.io/name: fettle\n"
		 "spec:\n"
		 "  restartPolicy: Never\n"
		 "  containers:\n"
		 "    - name: program\n"
		 "      image: IMAGE\n",
		 instance->index);
	if (in->words[0])
		text_add(text, "      command: [");
	for (char *const *word = in->words; *word; word++, comma = ", ") {
		text_add(text, "%s", comma);
		yaml_add(text, *word, true);
	}
	text_add(text, "%s", in->words[0] ? "]\n" : "");
	add_environment(in, instance, text);
	add_resources(in, instance, text);
}

static bool all_in_one_node(const struct emit_input *in)
{
	for (size_t i = form_first(in); i < form_end(in); i++) {
		if (hwloc_bitmap_weight(in->plan->instances[i].nodes_os) > 1)
			return false;
	}
	return true;
}

static void write_form(const struct emit_input *in, struct text *text)
{
	comment_header(in, EMIT_KUBERNETES, &form_kubernetes, text);
	comment_add(
		text, "",
		"CPUs cannot be named here. Requests equal limits and are whole CPUs, so that a kubelet with "
		"--cpu-manager-policy=static (best with --cpu-manager-policy-options=full-pcpus-only=true) gives each "
		"pod cores of its own; --topology-manager-policy=%s %s.",
		all_in_one_node(in) ? "single-numa-node" : "best-effort",
		all_in_one_node(in) ? "takes them, and the memory, from one NUMA node"
				    : "takes them from as few NUMA nodes as can be");
	comment_add(text, "",
		    "%s Threads are not pinned. With fettle in the image 'fettle run -- program' as the command "
		    "plans for the CPUs that the pod got, and pins.",
		    in->machine->limits.quota_milli.state == FACT_KNOWN
			    ? "The CPUs asked for are the threads: the plan was made under a CPU quota."
			    : "The CPUs asked for are all hardware threads of the cores.");
	comment_add(text, "", "Put your image for IMAGE. Memory is %s; put what your program needs.",
		    form_memory_limit(in, &(uint64_t){ 0 }) ? "a share of the limit that was planned for"
		    : memory_mib(in)                        ? "a share of the machine's, less an eighth for the system"
							    : "a guess, as the machine's is not known");
	if (memory_any_asked(in))
		comment_add(
			text, "",
			"No memory policy is set, as nodes cannot be named either: pages go to the node of the CPU "
			"that "
			"touches them first. For the planned one put numactl(8) in front of the command and give the "
			"container the capability SYS_NICE.");
	container_preloads(in, "", text);
	comment_add(text, "", "Usage: kubectl apply -f FILE");
	for (size_t i = form_first(in); i < form_end(in); i++)
		add_pod(in, &in->plan->instances[i], text);
}

const struct form form_kubernetes = {
	.summary = "a manifest with a pod for each instance",
	.tool = "a pod",
	.utf8 = true,
	.names = NAMES_KUBERNETES,
	.refuse = refuse,
	.write = write_form,
};
