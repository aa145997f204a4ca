/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about instructions: what the CPU can do and is hidden from us, or what a variable keeps libraries from using.
 */
#include "report/doctor_rule.h"

#include "base/cleanup.h"

#include <string.h>
#include <strings.h>

/*
 * Processors whose every model for servers has the extension (the vendors' family and model numbers, as in Linux's
 * arch/x86/include/asm/intel-family.h). Client models are left out: of those some have it fused off.
 */
static const struct {
	const char *vendor;
	unsigned family, first_model, last_model;
	const char *name;
	bool amx;
} processors[] = {
	{ "GenuineIntel", 6, 0x55, 0x55, "Skylake, Cascade Lake or Cooper Lake server", false },
	{ "GenuineIntel", 6, 0x6a, 0x6a, "Ice Lake server", false },
	{ "GenuineIntel", 6, 0x6c, 0x6c, "Ice Lake-D server", false },
	{ "GenuineIntel", 6, 0x8f, 0x8f, "Sapphire Rapids server", true },
	{ "GenuineIntel", 6, 0xcf, 0xcf, "Emerald Rapids server", true },
	{ "GenuineIntel", 6, 0xad, 0xae, "Granite Rapids server", true },
	{ "AuthenticAMD", 25, 0x10, 0x1f, "Genoa (Zen 4) server", false },
	{ "AuthenticAMD", 25, 0xa0, 0xaf, "Bergamo or Siena (Zen 4c) server", false },
	{ "AuthenticAMD", 26, 0x00, 0x1f, "Turin (Zen 5) server", false },
};

static bool has_isa(const struct doctor_input *in, const char *word)
{
	const char *const isa = doctor_fact(in, HOST_ISA)->raw;
	const size_t length = strlen(word);

	for (const char *p = isa; p && (p = strstr(p, word)); p += length) {
		if ((p == isa || p[-1] == ' ') && (p[length] == ' ' || !p[length]))
			return true;
	}
	return false;
}

static enum doctor_verdict hidden(const struct doctor_input *in, struct doctor_say *say)
{
	static const char *const lost[2][2] = { { NULL, "AMX" }, { "AVX-512", "AVX-512 and AMX" } };
	const uint64_t family = doctor_number(in, HOST_CPU_FAMILY), model = doctor_number(in, HOST_CPU_MODEL);

	for (size_t i = 0; i < ARRAY_SIZE(processors); i++) {
		const char *what = lost[!has_isa(in, "avx512f")][processors[i].amx && !has_isa(in, "amx_tile")];

		if (!what || !doctor_is(in, HOST_CPU_VENDOR, processors[i].vendor) || family != processors[i].family ||
		    model < processors[i].first_model || model > processors[i].last_model)
			continue;
		text_add(&say->detail, "%s, has %s", processors[i].name, what);
		return DOCTOR_COSTS;
	}
	return DOCTOR_GOOD;
}

/* Variables that keep a library from instructions the CPU has; `harmless` are values that do not. */
static const struct {
	const char *name, *harmless[3];
} caps[] = {
	{ "ONEDNN_MAX_CPU_ISA", { "ALL", "DEFAULT" } },
	{ "DNNL_MAX_CPU_ISA", { "ALL", "DEFAULT" } },
	{ "ATEN_CPU_CAPABILITY", { "avx512", "sve256" } },
	{ "MKL_ENABLE_INSTRUCTIONS", { "AVX512_E4", "AVX512_E5" } },
	{ "OPENBLAS_CORETYPE", { NULL } },
};

static const char *value_of(const struct doctor_input *in, const char *name)
{
	const size_t length = strlen(name);

	for (const char *const *entry = in->environment; entry && *entry; entry++) {
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return *entry + length + 1;
	}
	return NULL;
}

static enum doctor_verdict capped(const struct doctor_input *in, struct doctor_say *say)
{
	const char *separator = "";

	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		const char *const value = value_of(in, caps[i].name);
		bool harmless = !value || !*value;

		for (size_t k = 0; !harmless && k < ARRAY_SIZE(caps[i].harmless) && caps[i].harmless[k]; k++)
			harmless = strcasecmp(value, caps[i].harmless[k]) == 0;
		if (harmless)
			continue;
		doctor_show(say, "environment: %s=%s", caps[i].name, value);
		text_add(&say->detail, "%s%s", separator, caps[i].name);
		text_add(&say->remedy, " %s", caps[i].name);
		separator = ", ";
	}
	return *separator ? DOCTOR_COSTS : DOCTOR_GOOD;
}

static const struct doctor_rule rules[] = {
	{ .id = "isa-hidden",
	  .facts = { HOST_ISA, HOST_CPU_VENDOR, HOST_CPU_FAMILY, HOST_CPU_MODEL },
	  .fact_count = 4,
	  .test = hidden,
	  .good = "nothing is known to be hidden of what this CPU can do",
	  .costs = "this CPU, {}, and the hypervisor or the kernel hides it",
	  .unknown = "whether instructions are hidden",
	  .cost = "libraries take kernels for narrower registers: measure it",
	  .remedy = "QEMU: -cpu host; libvirt: <cpu mode='host-passthrough'/>; kernel: no clearcpuid=, noxsave" },
	{ .id = "isa-capped",
	  .live = true,
	  .test = capped,
	  .good = "no variable keeps libraries from instructions this CPU has",
	  .costs = "libraries may not use all instructions this CPU has: {}",
	  .unknown = "whether variables keep libraries from instructions",
	  .cost = "kernels for narrower registers, if the CPU has wider ones: measure it",
	  .remedy = "unset{}" },
};

const struct doctor_rules doctor_isa_rules = { rules, ARRAY_SIZE(rules) };
