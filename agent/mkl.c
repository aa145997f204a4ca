/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library of one answer, preloaded where oneMKL is on another maker's processor with AVX-512. oneMKL asks itself by
 * these two functions whether Intel made the processor, and looks at the processor's extensions only if so. They are
 * called through the loader, also in PyTorch's wheels, so that a library in front of it can answer. Nothing else of
 * oneMKL's is replaced: what it may use it still reads from the processor itself.
 */
#define ANSWER __attribute__((visibility("default")))

ANSWER int mkl_serv_intel_cpu_true(void);
ANSWER int mkl_serv_intel_cpu(void);

int mkl_serv_intel_cpu_true(void)
{
	return 1;
}

int mkl_serv_intel_cpu(void)
{
	return 1;
}
