/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/find.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/record.h"
#include "base/sysroot.h"
#include "observe/proc.h"
#include "observe/stat_line.h"

#include <errno.h>
#include <string.h>

/* A process that was found. */
struct match {
	pid_t pid, parent;
	char *record; /* the plan it carries, where that was asked for; owned */
};

struct matches {
	struct match *items;
	size_t count, capacity;
};

/* Command line or environment: what stands there with NULs between; only the first mebibyte is of interest. */
static int read_words(const struct sysroot *root, pid_t pid, const char *name, char **ret_text, size_t *ret_length)
{
	cleanup_free char *text = malloc((1 << 20) + 1);
	cleanup_close int fd = -1;
	char path[PROC_PATH];
	size_t length = 0;
	ssize_t n = 1;

	if (!text)
		return -ENOMEM;
	proc_path(path, pid, name);
	fd = sysroot_open_file(root, path);
	while (fd >= 0 && n > 0 && length < 1 << 20) {
		n = read(fd, text + length, (1 << 20) - length);
		length += n > 0 ? (size_t)n : 0;
	}
	text[length] = '\0';
	*ret_length = length;
	*ret_text = TAKE(text);
	return 0;
}

static bool is_file(const char *word, const char *name)
{
	const char *const slash = strrchr(word, '/');

	return strcmp(slash ? slash + 1 : word, name) == 0;
}

/* By the kernel's name (cut after 15 bytes), or by one of the first two words: "python3 serve.py". 1, 0 or -ENOMEM. */
static int is_called(const struct sysroot *root, const struct stat_line *line, const char *name)
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	const char *second;

	if (strcmp(line->name, name) == 0)
		return 1;
	if (read_words(root, line->id, "cmdline", &text, &length) < 0)
		return -ENOMEM;
	if (!length)
		return 0;
	second = text + strlen(text) + 1;
	return is_file(text, name) || (second < text + length && is_file(second, name));
}

static int read_record(const struct sysroot *root, pid_t pid, char **ret_record)
{
	cleanup_free char *text = NULL;
	size_t length = 0;

	if (read_words(root, pid, "environ", &text, &length) < 0)
		return -ENOMEM;
	*ret_record = NULL;
	for (const char *word = text; word < text + length; word += strlen(word) + 1) {
		if (strncmp(word, RECORD_VARIABLE "=", strlen(RECORD_VARIABLE "=")) != 0)
			continue;
		*ret_record = strdup(word + strlen(RECORD_VARIABLE "="));
		return *ret_record ? 0 : -ENOMEM;
	}
	return 0;
}

static int take(const struct sysroot *root, const struct stat_line *line, const char *name, struct matches *matches)
{
	cleanup_free char *record = NULL;
	struct match *grown;
	int r = name ? is_called(root, line, name) : read_record(root, line->id, &record);

	if (r < 0 || (name ? !r : !record))
		return r;
	grown = array_grow(matches->items, &matches->capacity, matches->count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	matches->items = grown;
	grown[matches->count++] = (struct match){ .pid = line->id, .parent = line->parent, .record = TAKE(record) };
	return 0;
}

/* Is its parent found too, and under the same plan where that is asked for? */
static bool is_inner(const struct matches *matches, const struct match *match)
{
	for (size_t i = 0; i < matches->count; i++) {
		const struct match *other = &matches->items[i];

		if (other->pid == match->parent)
			return !match->record || strcmp(match->record, other->record) == 0;
	}
	return false;
}

static int collect(const struct sysroot *root, const char *name, pid_t observer, struct matches *matches)
{
	cleanup_free pid_t *pids = NULL;
	size_t count = 0;
	int r = proc_numbers(root, "/proc", &pids, &count);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *text = NULL;
		struct stat_line line;
		char path[PROC_PATH];

		proc_path(path, pids[i], "stat");
		if (pids[i] == observer || sysroot_read(root, path, &text) < 0 || stat_line_parse(text, &line) < 0 ||
		    line.state == 'Z')
			continue;
		if (take(root, &line, name, matches) < 0)
			return -ENOMEM;
	}
	return 0;
}

int observe_find(const struct sysroot *root, const char *name, pid_t observer, pid_t **ret_pids, size_t *ret_count,
		 struct err *err)
{
	struct matches matches = { NULL };
	int r = collect(root, name, observer, &matches);
	pid_t *pids = calloc(matches.count + 1, sizeof(*pids));
	size_t count = 0;

	for (size_t i = 0; pids && i < matches.count; i++) {
		if (!is_inner(&matches, &matches.items[i]))
			pids[count++] = matches.items[i].pid;
	}
	for (size_t i = 0; i < matches.count; i++)
		free(matches.items[i].record);
	free(matches.items);
	if (r < 0 || !pids) {
		free(pids);
		return err_nomem(err);
	}
	*ret_pids = pids;
	*ret_count = count;
	return 0;
}
