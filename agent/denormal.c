/* SPDX-License-Identifier: Apache-2.0 */
#include "denormal.h"

#include "base/agent_record.h"

#if defined(__x86_64__)

#include <immintrin.h>

/*
 * Intel SDM volume 1, 10.2.3 "MXCSR Control and Status Register": bit 15 flushes results, bit 6 operands. Bits 1 and 4
 * are set when an operand was denormal, or a result too small, and stay until the program clears them.
 */
enum { FLUSH_TO_ZERO = 1 << 15, DENORMALS_ARE_ZERO = 1 << 6, MET_OPERAND = 1 << 1, MET_RESULT = 1 << 4 };

/* Bits of MXCSR that may be set (SDM 11.6.6): setting another one faults, and the first 64-bit processors had no bit 6.
 */
static uint32_t mxcsr_mask(void)
{
	/* FXSAVE's area: MXCSR_MASK stands at byte 28, and 0 means the default. */
	struct {
		uint32_t words[128];
	} area __attribute__((aligned(16))) = { { 0 } };

	_fxsave64(&area);
	return area.words[7] ? area.words[7] : 0xffbf;
}

bool denormal_flush(void)
{
	const uint32_t both = FLUSH_TO_ZERO | DENORMALS_ARE_ZERO;

	_mm_setcsr(_mm_getcsr() | (both & mxcsr_mask()));
	return (_mm_getcsr() & both) == both;
}

uint32_t denormal_state(void)
{
	const uint32_t word = _mm_getcsr(), both = FLUSH_TO_ZERO | DENORMALS_ARE_ZERO;

	return AGENT_FLOAT_KNOWN | ((word & both) == both ? AGENT_FLUSHES : 0) |
	       (word & MET_OPERAND ? AGENT_MET_OPERAND : 0) | (word & MET_RESULT ? AGENT_MET_RESULT : 0);
}

#elif defined(__aarch64__)

/*
 * Arm ARM, C5.2.8 "FPCR": FZ (bit 24) flushes operands and results of single and double precision, FZ16 (bit 19) those
 * of half precision. A bit that the processor has not got stays zero. FPSR says what was met: UFC (bit 3), a result too
 * small; IDC (bit 7), an operand that was flushed: of one that was computed with there is no sign.
 */
enum { FZ = 1 << 24, FZ16 = 1 << 19, UFC = 1 << 3 };

bool denormal_flush(void)
{
	uint64_t control;

	__asm__ volatile("mrs %0, fpcr" : "=r"(control));
	control |= FZ | FZ16;
	__asm__ volatile("msr fpcr, %0" : : "r"(control));
	__asm__ volatile("mrs %0, fpcr" : "=r"(control));
	return control & FZ;
}

uint32_t denormal_state(void)
{
	uint64_t control, status;

	__asm__ volatile("mrs %0, fpcr" : "=r"(control));
	__asm__ volatile("mrs %0, fpsr" : "=r"(status));
	return AGENT_FLOAT_KNOWN | (control & FZ ? AGENT_FLUSHES : 0) | (status & UFC ? AGENT_MET_RESULT : 0);
}

#else

bool denormal_flush(void)
{
	return false;
}

uint32_t denormal_state(void)
{
	return 0;
}

#endif
