/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict parsing of what people and kernels write. A value is taken whole or
 * refused: no leading blanks, no trailing rest, no silent wrap.
 * All return 0 or -EINVAL (not a value) or -ERANGE (a value, but too large),
 * and touch the output only on success.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits only. */
int parse_u64(const char *text, uint64_t *ret_value);
int parse_unsigned(const char *text, unsigned *ret_value);

/* As above with an optional leading '-'. */
int parse_int(const char *text, int *ret_value);

/* Bytes with an optional suffix K, M, G or T (powers of 1024, either case): "2G". */
int parse_bytes(const char *text, uint64_t *ret_bytes);

/* A count, or with a '%' behind it a percentage of something. */
struct part {
	unsigned amount;
	bool percent;
};

/* "2" or "25%"; -ERANGE above 100 %. */
int parse_part(const char *text, struct part *ret_part);

/*
 * A positive decimal number as thousandths, so that sums stay exact: "1.5" -> 1500.
 * Digits past the third are cut off; the point is '.', whatever the locale.
 */
int parse_milli(const char *text, uint64_t *ret_milli);
