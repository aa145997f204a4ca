/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What oneDNN reads, set only when asked. It looks for ONEDNN_ before DNNL_ (seen with 2.6 and 3.12); PyTorch 2.13
 * hands an MKLDNN_PRIMITIVE_CACHE_CAPACITY on to it, ahead of DNNL_'s and behind ONEDNN_'s.
 *
 * PyTorch's wrapper has a cache of its own, LRU_CACHE_CAPACITY. Stock 2.13 still reads it and keeps no primitive by it
 * (counted by ONEDNN_VERBOSE for convolutions, linear layers, batch norm and their quantized forms at 1 and 4096), so
 * there is no row for it.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "settings/rule.h"
#include "settings/user.h"

#include <ctype.h>
#include <string.h>

enum { CACHE_MOST = 65536 }; /* guide, OneDNN primitive cache */

static bool cache_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return in->workload->request.onednn_cache != 0;
}

static void cache_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	text_add(value, "%u", in->workload->request.onednn_cache);
}

static bool isa_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return in->workload->request.max_isa != ISA_DEFAULT;
}

/* As oneDNN's manual writes them; it takes small letters too. */
static void add_capitals(const char *word, struct text *value)
{
	for (; *word; word++)
		text_add(value, "%c", toupper((unsigned char)*word));
}

static void isa_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	add_capitals(max_isa_words[in->workload->request.max_isa], value);
}

static bool fpmath_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return in->workload->request.fpmath != FPMATH_DEFAULT;
}

static void fpmath_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	add_capitals(fpmath_words[in->workload->request.fpmath], value);
}

static const struct setting_rule rules[] = {
	{ .name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
	  .older = { "MKLDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY" },
	  .applies = cache_applies,
	  .value = cache_value,
	  .option = "onednn-cache",
	  .why = "how many created primitives oneDNN keeps, 1024 by itself: a program that goes through more shapes "
		 "than "
		 "that creates each anew every time (guide, OneDNN primitive cache; oneDNN developer guide, Primitive "
		 "Cache; measured: 1500 convolution shapes in turn, 8192 against 1024: 4x)",
	  .risk = "each primitive kept costs memory, hundreds of kilobytes for a convolution",
	  .asked = true },
	{ .name = "ONEDNN_MAX_CPU_ISA",
	  .older = { "DNNL_MAX_CPU_ISA" },
	  .applies = isa_applies,
	  .value = isa_value,
	  .option = "max-isa",
	  .why = "the most that oneDNN's kernels may use of the processor (oneDNN developer guide, CPU Dispatcher "
		 "Control)",
	  .risk = "a oneDNN that does not know the word caps nothing, in silence; other kernels sum in another order",
	  .changes_numbers = NUMBERS_ROUNDING,
	  .asked = true },
	{ .name = "ONEDNN_DEFAULT_FPMATH_MODE",
	  .older = { "DNNL_DEFAULT_FPMATH_MODE" },
	  .applies = fpmath_applies,
	  .value = fpmath_value,
	  .option = "fpmath",
	  .why = "which narrower type oneDNN may round single precision to before it computes, where a kernel is then "
		 "faster (oneDNN developer guide, Floating-point Math Mode; since 2.5)",
	  .risk = "results keep 8 bits of each input with bf16, 11 with f16 and tf32; numbers out of f16's range "
		  "become "
		  "infinite",
	  .changes_numbers = NUMBERS_CHANGED,
	  .asked = true },
};

/* The command line says it twice, once by --set or --unset. */
static int refuse_twice(const struct settings_input *in, const struct setting_rule *rule, struct err *err)
{
	const struct wishes *wishes = &in->workload->wishes;
	const char *name = settings_users_name(in, rule);

	if (!rule->applies(in, NULL) || (!wishes_unset(wishes, rule->name) && !(name && wishes_set(wishes, name))))
		return 0;
	(void)err_set(err, -EINVAL, "--%s and %s %s say two things of one setting", rule->option,
		      wishes_unset(wishes, rule->name) ? "--unset" : "--set",
		      wishes_unset(wishes, rule->name) ? rule->name : name);
	return err_hint(err, "possible: one of them");
}

static int onednn_refuse(const struct settings_input *in, struct err *err)
{
	const struct request *request = &in->workload->request;
	const char *architecture = in->machine->architecture;
	int r = 0;

	if (request->onednn_cache > CACHE_MOST) {
		(void)err_set(err, -EINVAL, "--onednn-cache %u: oneDNN's limit is %d", request->onednn_cache,
			      CACHE_MOST);
		return err_hint(err, "possible: 1 to %d", CACHE_MOST);
	}
	if (request->max_isa != ISA_DEFAULT && architecture && strcmp(architecture, "x86_64") != 0)
		return err_set(err, -EINVAL, "--max-isa %s: an instruction set of x86, and this machine is %s",
			       max_isa_words[request->max_isa], architecture);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rules); i++)
		r = refuse_twice(in, &rules[i], err);
	return r;
}

const struct setting_family family_onednn = {
	.name = "onednn",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
	.refuse = onednn_refuse,
};
