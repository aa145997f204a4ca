/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of a variable that keeps a library from instructions this processor has. What a library says itself, and which
 * kernels it runs, only oneDNN's own stream tells (fettle onednn).
 */
#include "report/finding_rule.h"

#include "base/cleanup.h"
#include "machine/isa.h"
#include "target/tree.h"

#include <string.h>
#include <strings.h>

/* oneDNN's words, what each still allows; others ("ALL", and those of newer processors) cap nothing that we tell apart.
 */
static const struct cap {
	const char *word;
	struct isa allowed;
} onednn_caps[] = {
	{ "SSE41", { 0 } },
	{ "AVX", { 0 } },
	{ "AVX2", { .avx2 = true } },
	{ "AVX2_VNNI", { .avx2 = true } },
	{ "AVX2_VNNI_2", { .avx2 = true } },
	{ "AVX512_CORE", { .avx2 = true, .avx512 = true } },
	{ "AVX512_CORE_VNNI", { .avx2 = true, .avx512 = true, .vnni = true } },
	{ "AVX512_CORE_BF16", { .avx2 = true, .avx512 = true, .vnni = true, .bf16 = true } },
	{ "AVX512_CORE_FP16", { .avx2 = true, .avx512 = true, .vnni = true, .bf16 = true } },
	{ NULL },
};
/* Of PyTorch's own kernels (aten/src/ATen/native/DispatchStub.cpp), which come no wider than AVX-512. */
static const struct cap torch_caps[] = {
	{ "default", { .vnni = true, .bf16 = true, .amx = true } },
	{ "avx2", { .avx2 = true, .vnni = true, .bf16 = true, .amx = true } },
	{ NULL },
};

static bool is_torch(const struct observed_object *object)
{
	return strncmp(tree_name(object->path), "libtorch_cpu.so", strlen("libtorch_cpu.so")) == 0;
}

/* PyTorch has oneDNN inside. */
static bool has_onednn(const struct observed_object *object)
{
	return (object->library && object->library->family == LIBRARY_ONEDNN) || is_torch(object);
}

static const struct {
	const char *name, *older; /* the older name is read where the newer is not set */
	const char *whose;
	bool (*reads)(const struct observed_object *object);
	const struct cap *caps;
} variables[] = {
	{ "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "oneDNN", has_onednn, onednn_caps },
	{ "ATEN_CPU_CAPABILITY", NULL, "PyTorch", is_torch, torch_caps },
};

static const struct observed_object *reader_of(const struct finding_input *in, size_t i)
{
	for (size_t k = 0; k < in->main->object_count; k++) {
		if (variables[i].reads(&in->main->objects[k]))
			return &in->main->objects[k];
	}
	return NULL;
}

/* The variable that counts and keeps the library from `ret_missing`; NULL: there is none, or fettle was told to set it.
 */
static const char *capping(const struct finding_input *in, size_t i, const char **ret_value,
			   char ret_missing[ISA_WORDS])
{
	const struct isa there = isa_of_flags(in->observation->cpu_flags.raw);
	const struct words *set = &in->instance->planned.set;
	const char *name = variables[i].name;

	*ret_value = finding_variable(in, name);
	if (!*ret_value && variables[i].older) {
		name = variables[i].older;
		*ret_value = finding_variable(in, name);
	}
	for (size_t k = 0; k < set->count && in->instance->planned.known; k++) {
		if (strcmp(set->items[k], name) == 0)
			return NULL;
	}
	for (const struct cap *cap = variables[i].caps; *ret_value && cap->word; cap++) {
		if (strcasecmp(cap->word, *ret_value) == 0)
			return isa_missing(cap->allowed, there, ret_missing) ? name : NULL;
	}
	return NULL;
}

static bool capped(const struct finding_input *in, struct finding_say *say)
{
	unsigned count = 0;

	if (in->observation->cpu_flags.state != FACT_KNOWN)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		const struct observed_object *reader = reader_of(in, i);
		char missing[ISA_WORDS];
		const char *value, *name = reader ? capping(in, i, &value, missing) : NULL;

		if (!name)
			continue;
		text_add(&say->detail, "%s%s may not use %s", count ? "; " : "", variables[i].whose, missing);
		text_add(&say->remedy, "%s--unset %s", count ? " " : "", name);
		finding_show(say, "/proc/%d/environ: %s=%s, which %s reads", (int)in->main->pid, name, value,
			     reader->path);
		count++;
	}
	if (count)
		finding_show(say, "%s: what this processor has", in->observation->cpu_flags.source);
	return count > 0;
}

static const struct finding_rule rules[] = {
	{ .id = "isa-limited",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_OBJECTS | NEEDS_ENVIRONMENT,
	  .test = capped,
	  .text = "the processor can do more than a library may use: {}",
	  .remedy = "fettle run {} -- ...   (results may differ in their last digits)" },
};

const struct finding_rules finding_isa_rules = { rules, ARRAY_SIZE(rules) };
