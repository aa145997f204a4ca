/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/options.h"

#include "base/cleanup.h"
#include "joint/layers.h"

#define AT(field)                offsetof(struct options, field)
#define TABLE(name, title, rows) const struct option_table name = { title, rows, ARRAY_SIZE(rows) }

static const struct option machine_rows[] = {
	{ "machine", "SPEC", "live (default), FILE, lscpu:FILE, synthetic:TEXT", OPTION_FILE, .offset = AT(machine) },
	{ "allowed-cpus", "LIST", "plan as if only these CPUs were allowed", OPTION_LIST,
	  .offset = AT(narrow.allowed_pus) },
	{ "allowed-nodes", "LIST", "plan as if only these memory nodes were allowed", OPTION_LIST,
	  .offset = AT(narrow.allowed_nodes) },
	{ "cpu-quota", "CPUS", "plan for a CPU quota, as 1.5", OPTION_CPUS, .offset = AT(narrow.quota_cpus) },
	{ "memory-limit", "BYTES", "plan for a memory limit, as 16G", OPTION_BYTES, .offset = AT(narrow.memory_limit) },
};
TABLE(machine_options, "Machine", machine_rows);

static const struct option capture_rows[] = {
	{ "capture", "FILE", "write what replays this machine into FILE.tar.xz", OPTION_FILE, .offset = AT(capture) },
	{ "with-hostname", NULL, "put the host's name into the capture", OPTION_FLAG, .offset = AT(with_hostname) },
};
TABLE(capture_options, "Capture", capture_rows);

static const struct option common_rows[] = {
	{ "json", NULL, "write JSON", OPTION_FLAG, .offset = AT(json) },
	{ "output", "FILE", "write to FILE instead of standard output", OPTION_FILE, .offset = AT(output) },
	{ "dry-run", NULL, "show what would happen; start nothing", OPTION_FLAG, .offset = AT(dry_run) },
	{ "quiet", NULL, "say less", OPTION_FLAG, 'q', AT(quiet) },
	{ "verbose", NULL, "say more", OPTION_FLAG, 'v', AT(verbose) },
};
TABLE(common_options, "Common", common_rows);

static const struct option picture_rows[] = {
	{ "svg", "FILE", "also draw it into FILE; -: on standard output", OPTION_FILE, .offset = AT(svg) },
};
TABLE(picture_options, "Picture", picture_rows);

static const struct option planning_rows[] = {
	{ "instances", "N", "start N instances side by side", OPTION_COUNT, .offset = AT(request.instances) },
	{ "slot", "SHARE", "this process's share: auto (by its rank), or I/N", OPTION_TEXT,
	  .offset = AT(request.slot) },
	{ "cores-per-instance", "N", "cores of each; 0: even, -1: use the remainder too", OPTION_CORES,
	  .offset = AT(request.cores_per_instance) },
	{ "latency", NULL, "many small instances of 4 cores each", OPTION_FLAG, .offset = AT(request.latency) },
	{ "throughput", NULL, "one instance on each NUMA node", OPTION_FLAG, .offset = AT(request.throughput) },
	{ "per", "WORD", "one instance for each node, package, l3 or core", OPTION_CHOICE, .offset = AT(request.per),
	  .given = AT(request.has_per), .words = per_words, .word_count = PER_COUNT },
	{ "nodes", "LIST", "use the CPUs of these NUMA nodes only", OPTION_LIST, .offset = AT(request.nodes) },
	{ "packages", "LIST", "use the CPUs of these packages only", OPTION_LIST, .offset = AT(request.packages) },
	{ "cpus", "LIST", "use these CPUs only", OPTION_LIST, .offset = AT(request.cpus) },
	{ "near", "NODE", "fill the nodes nearest to NODE first", OPTION_NUMBER, .offset = AT(request.near),
	  .given = AT(request.has_near) },
	{ "strategy", "WORD", "scatter over the nodes, or close together", OPTION_CHOICE,
	  .offset = AT(request.strategy), .words = strategy_words, .word_count = STRATEGY_COUNT },
	{ "compact", NULL, "an instance's cores from as few L3 caches as can be", OPTION_FLAG,
	  .offset = AT(request.compact) },
	{ "spread", NULL, "an instance's cores evenly from all L3 caches there", OPTION_FLAG,
	  .offset = AT(request.spread) },
	{ "smt", NULL, "use every hardware thread of a core", OPTION_FLAG, .offset = AT(request.smt) },
	{ "efficiency-cores", NULL, "use the small cores too", OPTION_FLAG, .offset = AT(request.efficiency_cores) },
	{ "cross-node", NULL, "let an instance straddle NUMA nodes", OPTION_FLAG, .offset = AT(request.cross_node) },
	{ "reserve", "N|N%", "keep N cores of each instance free for helpers", OPTION_PART,
	  .offset = AT(request.reserve) },
	{ "threads", "N", "compute threads of each instance", OPTION_COUNT, .offset = AT(request.threads) },
	{ "workers", "N", "processes of the program that compute side by side and share them", OPTION_COUNT,
	  .offset = AT(request.workers) },
	{ "memory", "WORD", "auto, none, local, bind, preferred or interleave", OPTION_CHOICE,
	  .offset = AT(request.memory), .words = memory_policy_words, .word_count = MEMORY_POLICY_COUNT },
	{ "pin", "WORD", "auto, threads, instance or none", OPTION_CHOICE, .offset = AT(request.pin),
	  .words = pin_words, .word_count = PIN_COUNT },
};
TABLE(planning_options, "Planning", planning_rows);

static const struct option instance_rows[] = {
	{ "instance", "I", "start only instance I of the plan", OPTION_NUMBER, .offset = AT(request.instance),
	  .given = AT(request.has_instance) },
	{ "each", "NAME=A,B,...", "set a variable to one value an instance; repeatable", OPTION_TEXTS,
	  .offset = AT(each) },
};
TABLE(instance_options, "Single instances", instance_rows);

static const struct option supervision_rows[] = {
	{ "fail", "WORD", "when one fails: stop (all), keep (the others) or restart[=N]", OPTION_TEXT,
	  .offset = AT(supervision.fail) },
	{ "timeout", "S", "stop all after S seconds", OPTION_SECONDS, .offset = AT(supervision.timeout) },
	{ "stagger", "MS", "milliseconds between the starts of two instances", OPTION_NUMBER,
	  .offset = AT(supervision.stagger_ms) },
	{ "log-dir", "DIR", "each instance's output in a file there, appended", OPTION_FILE,
	  .offset = AT(supervision.log_dir) },
	{ "log-prefix", "TEXT", "what their names, or else lines of output, begin with", OPTION_TEXT,
	  .offset = AT(supervision.log_prefix) },
	{ "collect", "REGEX", "the number in its (...), from each instance's output", OPTION_TEXT,
	  .offset = AT(supervision.collect) },
};
TABLE(supervision_options, "Supervision", supervision_rows);

static const struct option verifying_rows[] = {
	{ "verify", NULL, "look on, and say at the end what is not as planned", OPTION_FLAG,
	  .offset = AT(supervision.verify) },
	{ "require", "=ID,...", "exit with 3 when that is not as planned; start: stop it in its first seconds",
	  OPTION_MAYBE, .offset = AT(supervision.require) },
	{ "report", "FILE", "write there how it went, as JSON", OPTION_FILE, .offset = AT(supervision.report) },
};
TABLE(verifying_options, "Verifying", verifying_rows);

static const struct option cache_rows[] = {
	{ "no-cache", NULL, "find everything out anew, and remember nothing", OPTION_FLAG, .offset = AT(no_cache) },
};
TABLE(cache_options, "Start-up", cache_rows);

static const struct option settings_rows[] = {
	{ "set", "NAME=VALUE", "set a variable; may be repeated", OPTION_TEXTS, .offset = AT(set) },
	{ "unset", "NAME", "take a variable out; may be repeated", OPTION_TEXTS, .offset = AT(unset) },
	{ "allocator", "WORD", "auto, glibc, tuned-glibc, jemalloc, jemalloc-aggressive, tcmalloc or mimalloc",
	  OPTION_CHOICE, .offset = AT(request.allocator), .words = allocator_words, .word_count = ALLOCATOR_COUNT },
	{ "flush-denormals", NULL, "compute denormal numbers as zero: results change", OPTION_FLAG,
	  .offset = AT(request.flush_denormals) },
	{ "onednn-cache", "N", "primitives that oneDNN keeps (1 to 65536)", OPTION_COUNT,
	  .offset = AT(request.onednn_cache) },
	{ "max-isa", "WORD", "cap oneDNN's instruction set: avx2, avx512_core ...", OPTION_CHOICE,
	  .offset = AT(request.max_isa), .words = max_isa_words, .word_count = MAX_ISA_COUNT },
	{ "fpmath", "WORD", "let oneDNN round: strict, bf16, f16, tf32 or any", OPTION_CHOICE,
	  .offset = AT(request.fpmath), .words = fpmath_words, .word_count = FPMATH_COUNT },
	{ "huge-pages", "WORD", "have allocators ask for huge pages: none or madvise", OPTION_CHOICE,
	  .offset = AT(request.huge_pages), .words = huge_pages_words, .word_count = HUGE_PAGES_COUNT },
	{ "prepack", "WORD", "pack PyTorch's weights once for inference: auto, on or off", OPTION_CHOICE,
	  .offset = AT(request.prepack), .words = choice_words, .word_count = CHOICE_COUNT },
	{ "channels-last", "WORD", "PyTorch's packed convolutions hand images on so: auto, on or off", OPTION_CHOICE,
	  .offset = AT(request.channels_last), .words = choice_words, .word_count = CHOICE_COUNT },
	{ "fuse", "WORD", "PyTorch's convolutions do what follows them: auto, on or off", OPTION_CHOICE,
	  .offset = AT(request.fuse), .words = choice_words, .word_count = CHOICE_COUNT },
	{ "precision", "WORD", "PyTorch's packed layers compute in f32, bf16 or tf32-like", OPTION_CHOICE,
	  .offset = AT(request.precision), .words = precision_words, .word_count = PRECISION_COUNT },
	{ "exact", NULL, "do nothing to PyTorch that may change a result's last digits", OPTION_FLAG,
	  .offset = AT(request.exact) },
	{ "openmp", "WORD", "whose OpenMP runtime: auto, gnu, intel or llvm", OPTION_CHOICE,
	  .offset = AT(request.openmp), .words = openmp_words, .word_count = OPENMP_KIND_COUNT },
	{ "wait", "WORD", "idle OpenMP threads: auto, passive or active", OPTION_CHOICE, .offset = AT(request.wait),
	  .words = wait_words, .word_count = WAIT_COUNT },
	{ "schedule", "WORD", "OpenMP loops with schedule(runtime): auto or static", OPTION_CHOICE,
	  .offset = AT(request.schedule), .words = schedule_words, .word_count = SCHEDULE_COUNT },
	{ "repair", NULL, "raise an OMP_THREAD_LIMIT that would hang", OPTION_FLAG, .offset = AT(request.repair) },
	{ "no", "FAMILY", "leave a family of settings alone; may be repeated", OPTION_TEXTS, .offset = AT(without) },
};
TABLE(settings_options, "Settings", settings_rows);

static const struct option purpose_rows[] = {
	{ "for", "WORD", "choose for inference, training or a benchmark", OPTION_CHOICE, .offset = AT(request.purpose),
	  .words = purpose_words, .word_count = PURPOSE_COUNT },
	{ "profile", "NAME|FILE", "options from a profile; those given here win", OPTION_FILE,
	  .offset = AT(request.profile) },
};
TABLE(purpose_options, "Purpose", purpose_rows);

static const struct option help_rows[] = {
	{ "help", NULL, "show this help", OPTION_FLAG, 'h', AT(help) },
};
TABLE(help_options, "Help", help_rows);

static const struct option version_rows[] = {
	{ "help", NULL, "show this help", OPTION_FLAG, 'h', AT(help) },
	{ "version", NULL, "show the version", OPTION_FLAG, 'V', AT(version) },
};
TABLE(version_options, "Help", version_rows);

struct wishes options_wishes(const struct options *options)
{
	return (struct wishes){
		.set = options->set.items,
		.set_count = options->set.count,
		.unset = options->unset.items,
		.unset_count = options->unset.count,
		.each = options->each.items,
		.each_count = options->each.count,
		.without = options->without.items,
		.without_count = options->without.count,
	};
}

bool options_watch(const struct options *options)
{
	return options->supervision.verify || options->supervision.require || options->supervision.report;
}

void options_clear(struct options *options)
{
	option_texts_clear(&options->set);
	option_texts_clear(&options->unset);
	option_texts_clear(&options->each);
	option_texts_clear(&options->without);
	layers_free(options->layers);
	options->layers = NULL;
}
