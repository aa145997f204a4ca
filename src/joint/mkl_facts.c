/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/mkl_facts.h"

#include "base/installed.h"
#include "joint/decide.h"
#include "joint/framework_facts.h"
#include "joint/options.h"
#include "machine/machine.h"
#include "settings/mkl.h"

#include <unistd.h>

/* Zen 4 and later. On older ones its kernels for AVX2 are what it has for both makers. */
static bool is_passed_over(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	return __builtin_cpu_is("amd") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
	return false;
#endif
}

int mkl_facts_find(char *const *words, struct decision *decision, struct err *err)
{
	struct workload *workload = &decision->workload;
	int r;

	if (!mkl_may_be_wanted(workload) || decision->machine->source != MACHINE_LIVE || decision->options->has_emit)
		return 0;
	r = framework_facts_find(words, decision, err);
	/* The processor last: on a virtual machine each question is a trap, and most programs need not wait for it. */
	if (r < 0 || !mkl_is_wanted(workload) || !is_passed_over())
		return r;
	decision->mkl_answer = installed_find("libfettle-mkl.so", "agent", " :", R_OK);
	workload->mkl_answer = decision->mkl_answer;
	return 0;
}
