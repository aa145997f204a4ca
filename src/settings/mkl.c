/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PyTorch's wheels hold oneMKL, which multiplies all matrices that oneDNN does not. Before it looks at what the
 * processor can do it asks whether Intel made it, and takes kernels without AVX-512 if not. A library in front of it
 * that says yes (agent/mkl.c) has it look. (Measured on Zen 5, oneMKL 2024.2, one thread: float32 products 96 GFLOP/s
 * and 230.)
 */
#include "settings/mkl.h"

#include "base/cleanup.h"
#include "settings/preload.h"
#include "settings/rule.h"
#include "settings/user.h"

static const char mkl_row[] = "mkl-kernels";

bool mkl_may_be_wanted(const struct workload *workload)
{
	return !wishes_without(&workload->wishes, family_mkl.name) && !workload->request.exact;
}

bool mkl_is_wanted(const struct workload *workload)
{
	return mkl_may_be_wanted(workload) && workload_may_have_torch(workload);
}

/* Has the user said which kernels it is to take? */
static bool is_chosen(const struct settings_input *in)
{
	static const char *const names[] = { "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (settings_user_value(in, names[i]))
			return true;
	}
	return false;
}

static const char *answer_path(const struct settings_input *in, const struct plan_instance *instance)
{
	const struct workload *workload = in->workload;

	(void)instance;
	return workload->mkl_answer && mkl_is_wanted(workload) && !is_chosen(in) && !preload_refused(in) &&
			       preload_path_fits(workload->mkl_answer)
		       ? workload->mkl_answer
		       : NULL;
}

static void answer_explain(const struct settings_input *in, struct text *why)
{
	(void)in;
	text_add(why, "has oneMKL go by what the processor can do, and not by who made it");
}

const struct preload_source preload_mkl = {
	.path = answer_path,
	.explain = answer_explain,
	.name = "libfettle-mkl.so",
};

static bool kernels_apply(const struct settings_input *in, const struct plan_instance *instance)
{
	return answer_path(in, instance) != NULL;
}

static void kernels_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	(void)instance;
	text_add(value, "avx512");
}

static const struct setting_rule rules[] = {
	{ .name = mkl_row,
	  .applies = kernels_apply,
	  .value = kernels_value,
	  .why = "oneMKL has kernels for AVX-512 and takes them by itself on Intel's processors alone (measured: a "
		 "step "
		 "of training a transformer 1.9 times as fast, products 2.4 times)",
	  .risk = "sums are made in another order; it is no documented setting of oneMKL's",
	  .changes_numbers = NUMBERS_ROUNDING,
	  .system_call = true },
};

const struct setting_family family_mkl = {
	.name = "mkl",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};
