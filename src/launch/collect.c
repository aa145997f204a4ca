/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/collect.h"

#include "base/err.h"
#include "launch/output.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 64 }; /* digits that are looked at */

int launch_compile_collect(const char *pattern, regex_t *ret_regex, struct err *err)
{
	int r = regcomp(ret_regex, pattern, REG_EXTENDED);
	char why[128];

	if (r != 0) {
		(void)regerror(r, ret_regex, why, sizeof(why));
		return err_set(err, -EINVAL, "'%s' is no extended regular expression: %s", pattern, why);
	}
	if (ret_regex->re_nsub == 1)
		return 0;
	r = err_set(err, -EINVAL, "'%s' has %zu groups, not one: what is in (...) is the number", pattern,
		    (size_t)ret_regex->re_nsub);
	regfree(ret_regex);
	return r;
}

/* The whole text as a finite number. */
static bool parse_number(const char *text, size_t length, double *ret_number)
{
	char copy[NUMBER_MAX + 1], *end;
	double number;

	if (!length || length > NUMBER_MAX || isspace((unsigned char)text[0]))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (strpbrk(copy, "xXnN")) /* strtod() also takes hexadecimal, "inf" and "nan" */
		return false;
	number = strtod(copy, &end);
	if (end != copy + length || !isfinite(number))
		return false;
	*ret_number = number;
	return true;
}

bool collect_number(const regex_t *regex, const char *line, size_t length, double *ret_number)
{
	size_t at = 0;
	bool found = false;

	while (at <= length) {
		/* By length: a program may write NULs. */
		regmatch_t match[2] = { { .rm_so = (regoff_t)at, .rm_eo = (regoff_t)length } };

		if (regexec(regex, line, 2, match, REG_STARTEND | (at ? REG_NOTBOL : 0)) != 0)
			break;
		if (match[1].rm_so >= 0)
			found |= parse_number(line + match[1].rm_so, (size_t)(match[1].rm_eo - match[1].rm_so),
					      ret_number);
		at = (size_t)match[0].rm_eo + (match[0].rm_eo == match[0].rm_so);
	}
	return found;
}
