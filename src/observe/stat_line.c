/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/stat_line.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Numbers of the fields, as the manual page counts them. */
enum { STATE = 3, PARENT = 4, UTIME = 14, STIME = 15, CUTIME = 16, CSTIME = 17, STARTED = 22, CPU = 39 };

/* Fields are numbers of either sign; the negative ones are none of ours. */
static bool take_number(const char **at, uint64_t *ret_value)
{
	const char *p = *at;
	uint64_t value = 0;
	bool negative;

	while (*p == ' ')
		p++;
	negative = *p == '-';
	p += negative;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	if (*p && *p != ' ' && *p != '\n')
		return false;
	*at = p;
	*ret_value = negative ? 0 : value;
	return true;
}

int stat_line_parse(const char *text, struct stat_line *ret_line)
{
	const char *const open = strchr(text, '('), *const close = strrchr(text, ')');
	struct stat_line line = { 0 };
	uint64_t fields[CPU + 1] = { 0 };
	const char *at = text;
	size_t length;

	if (!open || !close || close < open || close[1] != ' ' || !close[2] || !take_number(&at, &fields[0]))
		return -EINVAL;
	length = (size_t)(close - open - 1);
	if (length >= sizeof(line.name))
		length = sizeof(line.name) - 1;
	memcpy(line.name, open + 1, length);
	line.state = close[2];
	at = close + 3;
	for (unsigned i = PARENT; i <= CPU; i++) {
		if (!take_number(&at, &fields[i]))
			return -EINVAL;
	}
	line.id = (pid_t)fields[0];
	line.parent = (pid_t)fields[PARENT];
	line.ticks = fields[UTIME] + fields[STIME];
	line.child_ticks = fields[CUTIME] + fields[CSTIME];
	line.started = fields[STARTED];
	line.cpu_os = (unsigned)fields[CPU];
	*ret_line = line;
	return 0;
}
