/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries with thread pools of their own. Left alone each sizes its pool by the whole machine; told
 * the same number as OpenMP, none multiplies another.
 */
#include "base/cleanup.h"
#include "settings/rule.h"

static void threads_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	text_add(value, "%u", instance->threads);
}

static const struct setting_rule rules[] = {
	{ .name = "MKL_NUM_THREADS",
	  .value = threads_value,
	  .why = "oneMKL's own count, which it prefers to OMP_NUM_THREADS (oneMKL developer guide, Environment "
		 "Variables "
		 "for OpenMP Threading Control)" },
	{ .name = "OPENBLAS_NUM_THREADS",
	  .value = threads_value,
	  .why = "OpenBLAS builds with POSIX threads have a pool of their own (OpenBLAS manual, Runtime variables)" },
	{ .name = "BLIS_NUM_THREADS",
	  .value = threads_value,
	  .why = "BLIS's own count, which it prefers to OMP_NUM_THREADS (BLIS, docs/Multithreading.md)" },
	{ .name = "NUMEXPR_MAX_THREADS",
	  .value = threads_value,
	  .why = "size of NumExpr's pool; it complains of more than 64 threads unless this is raised (NumExpr user "
		 "guide, "
		 "Threadpool Configuration; seen with 2.14)" },
	{ .name = "NUMEXPR_NUM_THREADS",
	  .value = threads_value,
	  .why = "threads NumExpr starts with (NumExpr user guide, Threadpool Configuration)" },
	{ .name = "VECLIB_MAXIMUM_THREADS",
	  .value = threads_value,
	  .why = "limit of Apple's Accelerate, which on Linux only portable programs read" },
};

const struct setting_family family_pools = {
	.name = "pools",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};
