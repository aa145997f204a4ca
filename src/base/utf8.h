/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at `bytes` (NUL-terminated) and its number; 0: there is none, and `*ret_code` is untouched. */
size_t utf8_at(const char *bytes, uint32_t *ret_code);

/* Is the whole string UTF-8? */
bool utf8_valid(const char *bytes);
