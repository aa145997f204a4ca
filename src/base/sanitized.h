/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether AddressSanitizer is built in: its shadow alone is terabytes of address space, so that RLIMIT_AS would end us.
 */
#pragma once

/* gcc says it with a macro, clang with a feature. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif
