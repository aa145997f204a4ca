/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls without libc: errno stays, nobody who stands between (fakeroot, our own hook on syscall()) is asked, and
 * it may be done between vfork() and exec. Returns what the kernel does: -errno on failure.
 */
#pragma once

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline long kernel_call(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
	const int kept = errno;
	long result = syscall(number, a, b, c, d, e, f);

	if (result < 0)
		result = -errno;
	errno = kept;
	return result;
#endif
}

#define kernel_call0(number)          kernel_call((number), 0, 0, 0, 0, 0, 0)
#define kernel_call1(number, a)       kernel_call((number), (long)(a), 0, 0, 0, 0, 0)
#define kernel_call3(number, a, b, c) kernel_call((number), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define kernel_call5(number, a, b, c, d, e) \
	kernel_call((number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

static inline pid_t kernel_pid(void)
{
	return (pid_t)kernel_call0(SYS_getpid);
}

static inline pid_t kernel_tid(void)
{
	return (pid_t)kernel_call0(SYS_gettid);
}
