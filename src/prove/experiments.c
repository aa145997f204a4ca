/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/experiments.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/nearest.h"
#include "machine/host.h"
#include "machine/isa.h"
#include "machine/machine.h"
#include "machine/query.h"

#include <string.h>

const char *const prove_baseline[] = { "--pin", "none", "--memory", "none", "--allocator", "glibc", NULL };

static unsigned allowed_cores(const struct machine *machine)
{
	unsigned count = 0;

	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];
		bool allowed = false;

		for (unsigned k = 0; k < core->pu_count; k++)
			allowed |= hwloc_bitmap_isset(machine->limits.pus_os, machine->pus[core->pu_idx + k].os);
		count += allowed;
	}
	return count;
}

static bool one_thread_a_core(const struct prove_facts *facts, struct text *why)
{
	const unsigned cores = machine_usable_threads(facts->machine, false);

	if (machine_usable_threads(facts->machine, true) > cores)
		return false;
	text_add(why, "one usable hardware thread a core");
	return true;
}

static bool no_quota(const struct prove_facts *facts, struct text *why)
{
	const struct fact *quota = &facts->machine->limits.quota_milli;

	if (quota->state == FACT_KNOWN && machine_usable_threads(facts->machine, false) < allowed_cores(facts->machine))
		return false;
	text_add(why, quota->state == FACT_UNKNOWN  ? "the CPU quota is not known"
		      : quota->state == FACT_ABSENT ? "no CPU quota"
						    : "the CPU quota is no tighter than the cores are");
	return true;
}

static bool one_node(const struct prove_facts *facts, struct text *why)
{
	const hwloc_const_bitmap_t nodes = facts->machine->limits.nodes_os;

	if (nodes && hwloc_bitmap_weight(nodes) > 1)
		return false;
	text_add(why, facts->machine->node_count > 1 ? "one usable NUMA node" : "one NUMA node");
	return true;
}

static bool no_cache(unsigned capacity, const struct prove_facts *facts, struct text *why)
{
	if (capacity)
		return false;
	text_add(why, "%s", facts->no_cache ? facts->no_cache : "the program's working set is not known");
	return true;
}

static bool no_cache_over(const struct prove_facts *facts, struct text *why)
{
	return no_cache(facts->cache_over, facts, why);
}

static bool no_cache_under(const struct prove_facts *facts, struct text *why)
{
	return no_cache(facts->cache_under, facts, why);
}

static bool not_ours(const struct prove_facts *facts, struct text *why)
{
	if (facts->built_in)
		return false;
	text_add(why, "the program decides it itself, no option of a start does");
	return true;
}

static bool no_bf16(const struct prove_facts *facts, struct text *why)
{
	const struct host *host = facts->machine->host;
	const struct fact *isa = host ? &host->facts[HOST_ISA] : NULL;
	struct isa has;

	if (!isa || isa->state != FACT_KNOWN) {
		text_add(why, "what the processor can is not known");
		return true;
	}
	has = isa_of_flags(isa->raw);
	if (has.bf16 || has.amx)
		return false;
	text_add(why, "the processor has no bf16");
	return true;
}

static bool no_bf16_or_not_ours(const struct prove_facts *facts, struct text *why)
{
	return no_bf16(facts, why) || not_ours(facts, why);
}

/* Where a figure is from: "guide" is Intel's tuning guide, the others are measured: docs/memory.md, docs/onednn.md. */
const struct prove_experiment prove_experiments[] = {
	{ .advice = "threads=cores",
	  .rank = 1,
	  .family = "threads",
	  .model = "cnn",
	  .without = { "--smt" },
	  .about = "one compute thread a core instead of one a hardware thread (guide)",
	  .impossible = one_thread_a_core },
	{ .advice = "threads=quota",
	  .rank = 1,
	  .family = "threads",
	  .model = "cnn",
	  .without = { "--threads", "{cores}" },
	  .about = "no more threads than the CPU quota is worth, instead of one a core",
	  .impossible = no_quota },
	{ .advice = "binding=instance",
	  .rank = 3,
	  .family = "binding",
	  .model = "cnn",
	  .with = { "--pin", "instance" },
	  .about = "the program kept on its CPUs, its threads free among them (guide: numactl -C)" },
	{ .advice = "binding=threads",
	  .rank = 4,
	  .family = "binding",
	  .model = "cnn",
	  .with = { "--pin", "threads" },
	  .about = "each compute thread on a core of its own (guide: KMP_AFFINITY, GOMP_CPU_AFFINITY)" },
	{ .advice = "memory=local",
	  .rank = 3,
	  .family = "memory",
	  .model = "cnn",
	  .with = { "--memory", "local" },
	  .about = "memory on the node of the thread that touches it first",
	  .impossible = one_node },
	{ .advice = "memory=preferred",
	  .rank = 4,
	  .family = "memory",
	  .model = "cnn",
	  .with = { "--memory", "preferred" },
	  .about = "memory on the program's nodes while there is room (guide: numactl -m)",
	  .impossible = one_node },
	{ .advice = "memory=interleave",
	  .rank = 3,
	  .family = "memory",
	  .model = "cnn",
	  .with = { "--memory", "interleave" },
	  .about = "memory spread over the program's nodes",
	  .impossible = one_node },
	{ .advice = "openmp=gnu",
	  .rank = 5,
	  .family = "openmp",
	  .model = "attention",
	  .with = { "--openmp", "gnu" },
	  .about = "GNU's libgomp" },
	{ .advice = "openmp=intel",
	  .rank = 4,
	  .family = "openmp",
	  .model = "attention",
	  .with = { "--openmp", "intel" },
	  .about = "Intel's libiomp5 (guide)" },
	{ .advice = "openmp=llvm",
	  .rank = 5,
	  .family = "openmp",
	  .model = "attention",
	  .with = { "--openmp", "llvm" },
	  .about = "LLVM's libomp" },
	{ .advice = "wait=passive",
	  .rank = 4,
	  .family = "wait",
	  .model = "attention",
	  .with = { "--wait", "passive" },
	  .about = "threads sleep between parallel loops (guide: KMP_BLOCKTIME)" },
	{ .advice = "wait=active",
	  .rank = 4,
	  .family = "wait",
	  .model = "attention",
	  .with = { "--wait", "active" },
	  .about = "threads spin between parallel loops" },
	{ .advice = "allocator=tuned-glibc",
	  .rank = 1,
	  .family = "allocator",
	  .model = "cnn",
	  .with = { "--allocator", "tuned-glibc" },
	  .about = "glibc's malloc keeps what is given back" },
	{ .advice = "allocator=tcmalloc",
	  .rank = 1,
	  .family = "allocator",
	  .model = "cnn",
	  .with = { "--allocator", "tcmalloc" },
	  .about = "gperftools' malloc (guide)" },
	{ .advice = "allocator=jemalloc",
	  .rank = 5,
	  .family = "allocator",
	  .model = "cnn",
	  .with = { "--allocator", "jemalloc" },
	  .about = "jemalloc with the guide's settings" },
	{ .advice = "allocator=jemalloc-aggressive",
	  .rank = 5,
	  .family = "allocator",
	  .model = "cnn",
	  .with = { "--allocator", "jemalloc-aggressive" },
	  .about = "jemalloc that never gives memory back (guide, for benchmarks)" },
	{ .advice = "allocator=mimalloc",
	  .rank = 5,
	  .family = "allocator",
	  .model = "cnn",
	  .with = { "--allocator", "mimalloc" },
	  .about = "Microsoft's malloc" },
	{ .advice = "huge-pages=madvise",
	  .rank = 5,
	  .family = "huge-pages",
	  .model = "cnn",
	  .with = { "--huge-pages", "madvise" },
	  .about = "the allocator asks for huge pages (guide: THP_MEM_ALLOC_ENABLE)" },
	{ .advice = "denormals=flush",
	  .rank = 2,
	  .family = "denormals",
	  .model = "decay",
	  .with = { "--flush-denormals" },
	  .changes_numbers = true,
	  .about = "denormal numbers computed as zero (guide: set_flush_denormal); results change" },
	{ .advice = "onednn-cache=over",
	  .rank = 1,
	  .family = "onednn-cache",
	  .model = "speech",
	  .with = { "--onednn-cache", "{over}" },
	  .about = "oneDNN keeps more primitives than the program uses in turn (guide)",
	  .impossible = no_cache_over },
	{ .advice = "onednn-cache=under",
	  .rank = 5,
	  .family = "onednn-cache",
	  .model = "speech",
	  .with = { "--onednn-cache", "{under}" },
	  .about = "oneDNN keeps fewer than that: memory saved, primitives made again and again",
	  .impossible = no_cache_under },
	{ .advice = "layout=channels-last",
	  .rank = 2,
	  .family = "layout",
	  .model = "cnn",
	  .words = { "--layout", "channels-last" },
	  .about = "images as NHWC instead of NCHW (guide: memory_format)",
	  .impossible = not_ours },
	{ .advice = "fpmath=bf16",
	  .rank = 2,
	  .family = "bf16",
	  .model = "attention",
	  .with = { "--fpmath", "bf16" },
	  .changes_numbers = true,
	  .about = "oneDNN may round the inputs of products to bf16; results change",
	  .impossible = no_bf16 },
	{ .advice = "data=bf16",
	  .rank = 2,
	  .family = "bf16",
	  .model = "attention",
	  .words = { "--bf16" },
	  .changes_numbers = true,
	  .about = "products of bf16 data (guide: auto mixed precision); results change",
	  .impossible = no_bf16_or_not_ours },
	{ .advice = "nothing",
	  .rank = 1,
	  .family = "nothing",
	  .model = "cnn",
	  .about = "the baseline against itself, which must not differ",
	  .control = true },
};
const struct prove_experiment prove_together = {
	.advice = "together",
	.family = "together",
	.about = "what was worth it by itself, of each family the best, all together",
};

const size_t prove_experiment_count = ARRAY_SIZE(prove_experiments);

static bool is_word(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(word, name, length) == 0;
}

static bool names(const char *word, size_t length, const struct prove_experiment *experiment)
{
	return is_word(word, length, experiment->family) || is_word(word, length, experiment->advice);
}

int prove_only_check(const char *list, struct err *err)
{
	for (const char *at = list; *at; at += *at == ',') {
		const size_t length = strcspn(at, ",");
		cleanup_free char *word = strndup(at, length);
		struct nearest near = { .word = word };
		bool found = false;

		if (!word)
			return err_nomem(err);
		for (size_t i = 0; i < prove_experiment_count && !found; i++) {
			found = names(at, length, &prove_experiments[i]);
			nearest_try(&near, prove_experiments[i].family);
			nearest_try(&near, prove_experiments[i].advice);
		}
		if (!found)
			return err_set(err, -EINVAL, "option '--only': '%s' is no advice%s%s%s", word,
				       near.best ? ", nearest is '" : "", near.best ? near.best : "",
				       near.best ? "'" : "");
		at += length;
	}
	return 0;
}

bool prove_only_has(const char *list, const struct prove_experiment *experiment)
{
	bool found = !list && !experiment->control;

	for (const char *at = list; at && *at && !found; at += *at == ',') {
		const size_t length = strcspn(at, ",");

		found = names(at, length, experiment);
		at += length;
	}
	return found;
}

bool prove_only_wants(const char *list, const char *family)
{
	for (size_t i = 0; i < prove_experiment_count; i++) {
		if (strcmp(prove_experiments[i].family, family) == 0 && prove_only_has(list, &prove_experiments[i]))
			return true;
	}
	return false;
}

bool prove_impossible(const struct prove_experiment *experiment, const struct prove_facts *facts, struct text *why)
{
	return experiment->impossible && experiment->impossible(facts, why);
}

/* A word with the fact it stands for. */
static int add_word(const char *word, const struct prove_facts *facts, struct words *options)
{
	const struct {
		const char *word;
		unsigned number;
	} known[] = { { "{cores}", allowed_cores(facts->machine) },
		      { "{over}", facts->cache_over },
		      { "{under}", facts->cache_under } };
	struct text text = TEXT_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(word, known[i].word) != 0)
			continue;
		text_add(&text, "%u", known[i].number);
		return words_take(options, text_take(&text));
	}
	return words_add(options, word);
}

int prove_options(const struct prove_experiment *experiment, bool with, const struct prove_facts *facts,
		  struct words *ret_options)
{
	const char *const *parts[] = { prove_baseline, experiment->without, with ? experiment->with : NULL };
	int r = 0;

	/* With it, what stood for "without" is left out where nothing else takes its place. */
	if (with && !experiment->with[0] && !experiment->words[0])
		parts[1] = NULL;
	for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
		for (const char *const *word = parts[p]; r == 0 && word && *word; word++)
			r = add_word(*word, facts, ret_options);
	}
	return r;
}
