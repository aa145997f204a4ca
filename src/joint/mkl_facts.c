/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/mkl_facts.h"

#include "base/installed.h"
#include "joint/decide.h"
#include "joint/framework_facts.h"
#include "joint/options.h"
#include "machine/machine.h"
#include "settings/mkl.h"
#include "target/loader_machine.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

/* By instruction and not by __builtin_cpu_is(), which brings a constructor: see loader_machine_hwcaps(). */
static bool is_amds(void)
{
#ifdef __x86_64__
	unsigned most, b, c, d;

	return __get_cpuid(0, &most, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx &&
	       d == signature_AMD_edx;
#else
	return false;
#endif
}

/* Zen 4 and later. On older ones its kernels for AVX2 are what it has for both makers. */
static bool is_passed_over(void)
{
	const char *level = loader_machine_hwcaps(EM_X86_64, 64)[0];

	return level && strcmp(level, "x86-64-v4") == 0 && is_amds();
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
