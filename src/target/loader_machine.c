/* SPDX-License-Identifier: Apache-2.0 */
#include "target/loader_machine.h"

#include "base/cleanup.h"

#include <elf.h>
#include <stdio.h>
#ifdef __x86_64__
#include <sys/platform/x86.h>
#endif

static const struct loader_machine machines[] = {
	{ EM_X86_64, 64, false, "x86-64", "x86_64-linux-gnu", "lib64", "x86_64", "x86_64" },
	{ EM_X86_64, 32, false, "x32", "x86_64-linux-gnux32", "libx32", "x86_64", "x32" },
	{ EM_386, 32, false, "i386", "i386-linux-gnu", "lib", "i686", "i386" },
	{ EM_AARCH64, 64, false, "aarch64", "aarch64-linux-gnu", "lib64", "aarch64", "aarch64" },
	{ EM_AARCH64, 64, true, "aarch64_be", "aarch64_be-linux-gnu", "lib64", "aarch64_be", "aarch64_be" },
	{ EM_ARM, 32, false, "arm", "arm-linux-gnueabihf", "lib", NULL, "armhf" },
	{ EM_PPC64, 64, false, "ppc64le", "powerpc64le-linux-gnu", "lib64", NULL, "powerpc64le" },
	{ EM_PPC64, 64, true, "ppc64", "powerpc64-linux-gnu", "lib64", NULL, "powerpc64" },
	{ EM_S390, 64, true, "s390x", "s390x-linux-gnu", "lib64", NULL, "s390x" },
	{ EM_RISCV, 64, false, "riscv64", "riscv64-linux-gnu", "lib64/lp64d", NULL, "riscv64" },
	{ 258, 64, false, "loongarch64", "loongarch64-linux-gnu", "lib64", NULL, "loongarch64" }, /* EM_LOONGARCH */
};

const struct loader_machine *loader_machine_find(unsigned machine, unsigned class, bool big)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		if (machines[i].machine == machine && machines[i].class == class && machines[i].big == big)
			return &machines[i];
	}
	return NULL;
}

const char *loader_machine_name(unsigned machine, unsigned class, bool big, char *buffer, unsigned size)
{
	const struct loader_machine *known = loader_machine_find(machine, class, big);

	if (known)
		return known->name;
	(void)snprintf(buffer, size, "a %u-bit %s-endian machine %u", class, big ? "big" : "little", machine);
	return buffer;
}

#ifdef __x86_64__
/* CPU_FEATURE_ACTIVE() of glibc, whose own text shifts a signed 1 by 31. `feature` is one of its x86_cpu_ numbers. */
static bool has_feature(unsigned feature)
{
	enum { REGISTER_BITS = 32, LEAF_BITS = 4 * REGISTER_BITS };
	const struct cpuid_feature *leaf = __x86_get_cpuid_feature_leaf(feature / LEAF_BITS);

	return leaf->active_array[feature % LEAF_BITS / REGISTER_BITS] >> feature % REGISTER_BITS & 1;
}
#endif

/*
 * The levels of the x86-64 psABI, by features that no CPU has without the rest of its level. glibc is asked, as its own
 * loader asks it (2.33 and later); the compiler's __builtin_cpu_supports() would bring a constructor whose CPUID
 * instructions a hypervisor traps one by one: 0.06 ms at every start.
 */
const char *const *loader_machine_hwcaps(unsigned machine, unsigned class)
{
	static const char *const levels[] = { "x86-64-v4", "x86-64-v3", "x86-64-v2", NULL };

#ifdef __x86_64__
	if (machine == EM_X86_64 && class == 64) {
		if (!has_feature(x86_cpu_SSE4_2) || !has_feature(x86_cpu_POPCNT))
			return levels + 3;
		if (!has_feature(x86_cpu_AVX2) || !has_feature(x86_cpu_BMI2) || !has_feature(x86_cpu_FMA))
			return levels + 2;
		if (!has_feature(x86_cpu_AVX512F) || !has_feature(x86_cpu_AVX512BW) || !has_feature(x86_cpu_AVX512DQ) ||
		    !has_feature(x86_cpu_AVX512VL) || !has_feature(x86_cpu_AVX512CD))
			return levels + 1;
		return levels;
	}
#endif
	(void)machine;
	(void)class;
	return levels + ARRAY_SIZE(levels) - 1;
}
