/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/proc.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/parse.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum { GAPS_MAX = 100 };

int proc_gap(struct observation *observation, const char *path, const char *what, int code)
{
	struct observed_gap *grown;
	char *copy;

	if (observation->gap_count == GAPS_MAX)
		return 0;
	for (size_t i = 0; i < observation->gap_count; i++) {
		if (strcmp(observation->gaps[i].path, path) == 0)
			return 0;
	}
	grown = array_grow(observation->gaps, &observation->gap_capacity, observation->gap_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	observation->gaps = grown;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	grown[observation->gap_count++] = (struct observed_gap){ .path = copy, .what = what, .code = code };
	return 0;
}

static int missed(struct observation *observation, const char *path, const char *what, int code)
{
	if (code == -ENOMEM)
		return code;
	return what ? proc_gap(observation, path, what, code) : 0;
}

int proc_read(const struct sysroot *root, struct observation *observation, const char *path, const char *what,
	      char **ret_text)
{
	int r = sysroot_read(root, path, ret_text);

	return r == 0 ? 1 : missed(observation, path, what, r);
}

int proc_read_short(const struct sysroot *root, const char *path, char *text, size_t size)
{
	cleanup_close int fd = sysroot_open_file(root, path);
	ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd < 0)
		return fd;
	if (length < 0)
		return -errno;
	text[length] = '\0';
	return 0;
}

int proc_open(const struct sysroot *root, struct observation *observation, const char *path, const char *what,
	      FILE **ret_file)
{
	cleanup_close int fd = sysroot_open_file(root, path);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!file)
		return missed(observation, path, what, fd < 0 ? fd : -ENOMEM);
	fd = -1;
	*ret_file = file;
	return 1;
}

void proc_path(char path[PROC_PATH], pid_t pid, const char *name)
{
	(void)snprintf(path, PROC_PATH, "/proc/%d/%s", (int)pid, name);
}

const char *proc_field(const char *text, const char *key)
{
	const size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) != 0)
			continue;
		/* /proc/PID/sched has blanks before its colon. */
		line += length;
		if (*line != ':' && *line != ' ' && *line != '\t')
			continue;
		line += strspn(line, " \t");
		line += *line == ':';
		return line + strspn(line, " \t");
	}
	return NULL;
}

bool proc_number(const char *text, const char *key, uint64_t *ret_value)
{
	const char *value = proc_field(text, key);
	char digits[24];
	size_t length;

	if (!value)
		return false;
	length = strspn(value, "0123456789");
	if (!length || length >= sizeof(digits))
		return false;
	memcpy(digits, value, length);
	digits[length] = '\0';
	return parse_u64(digits, ret_value) == 0;
}

bool proc_take(const char **at, int base, uint64_t *ret_value)
{
	const char *const begin = *at + strspn(*at, " \t");
	char *end = NULL;

	/* strtoull() would take a sign, and blanks of its own kind. */
	if (strspn(begin, base == 16 ? "0123456789abcdefABCDEF" : "0123456789") == 0)
		return false;
	*ret_value = strtoull(begin, &end, base);
	*at = end;
	return true;
}

int proc_link(const struct sysroot *root, const char *path, char **ret_target)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(root->fd, path + strspn(path, "/"), target, sizeof(target) - 1);
	char *copy;

	if (length < 0)
		return -errno;
	copy = strndup(target, (size_t)length);
	if (!copy)
		return -ENOMEM;
	*ret_target = copy;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;

	return (left > right) - (left < right);
}

int proc_numbers(const struct sysroot *root, const char *path, pid_t **ret_numbers, size_t *ret_count)
{
	cleanup_free pid_t *numbers = NULL;
	cleanup_close int fd = sysroot_open_file(root, path);
	cleanup_dir DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	size_t count = 0, capacity = 0;
	const struct dirent *entry;
	bool sorted = true;

	if (!folder)
		return fd < 0 ? fd : -errno;
	fd = -1;
	while ((entry = readdir(folder))) {
		int number;
		pid_t *grown;

		if (parse_int(entry->d_name, &number) < 0 || number <= 0)
			continue;
		grown = array_grow(numbers, &capacity, count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		numbers = grown;
		sorted = sorted && (!count || numbers[count - 1] < number);
		numbers[count++] = number;
	}
	if (!sorted)
		qsort(numbers, count, sizeof(*numbers), by_number);
	*ret_numbers = TAKE(numbers);
	*ret_count = count;
	return 0;
}
