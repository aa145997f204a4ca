/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/capture.h"

#include "base/archive_wire.h"
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/archive.h"
#include "machine/capture_table.h"
#include "machine/cgroup_path.h"
#include "machine/limits.h"
#include "machine/mounts.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

struct capture {
	struct sysroot root;
	struct archive_helper helper;
	size_t files;
	const struct capture_row *row;
	struct err *err;
};

static int add(struct capture *capture, const char *path, const char *bytes, size_t length)
{
	capture->files++;
	return archive_add_file(&capture->helper, path + (*path == '/'), bytes, length, capture->err);
}

/* The lines of a file that its row keeps. */
static int add_kept(struct capture *capture, const char *path, const char *text)
{
	cleanup_text struct text kept = TEXT_INIT;

	for (const char *line = text; *line;) {
		const size_t length = strcspn(line, "\n");

		if (capture->row->keeps(text, line, length))
			text_add(&kept, "%.*s\n", (int)length, line);
		line += length;
		line += *line == '\n';
	}
	text_add_bytes(&kept, "", 0);
	return kept.failed ? err_nomem(capture->err) : add(capture, path, kept.data, kept.length);
}

/* A file as it is, byte for byte. One that cannot be read is left out: it cannot be read live either. */
static int add_file(struct capture *capture, const char *path)
{
	cleanup_close int fd = sysroot_open_file(&capture->root, path);
	cleanup_text struct text text = TEXT_INIT;
	struct stat st;
	char chunk[65536];
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	text_add_bytes(&text, "", 0);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		text_add_bytes(&text, chunk, (size_t)n);
		if (text.length > ARCHIVE_MAX_FILE_BYTES)
			return 0;
	}
	if (n < 0)
		return 0;
	if (text.failed)
		return err_nomem(capture->err);
	if (capture->row && capture->row->keeps)
		return add_kept(capture, path, text.data);
	return add(capture, path, text.data, text.length);
}

/* The target when `path` is a link; false when it is none. */
static bool read_link(const struct capture *capture, const char *path, char ret_target[ARCHIVE_MAX_PATH])
{
	const ssize_t length = readlinkat(capture->root.fd, path, ret_target, ARCHIVE_MAX_PATH - 1);

	if (length < 0)
		return false;
	ret_target[length] = '\0';
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
	char **items;
	size_t count;
};

static void names_clear(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free((void *)names->items);
	*names = (struct names){ NULL, 0 };
}
#define cleanup_names cleanup_(names_clear)

static int names_add(struct names *names, const char *name)
{
	char **grown = realloc((void *)names->items, (names->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	names->items = grown;
	grown[names->count] = strdup(name);
	return grown[names->count] ? (names->count++, 0) : -ENOMEM;
}

/* The names in a folder that match, in order, so that the same machine gives the same archive. */
static int find(const struct capture *capture, const char *dir, const char *pattern, struct names *names)
{
	const bool literal = !strpbrk(pattern, "*?[");
	int fd = literal ? -1 : sysroot_open_file(&capture->root, dir);
	cleanup_dir DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (literal)
		return names_add(names, pattern);
	if (!stream) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	while ((entry = readdir(stream))) {
		if (fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0 && names_add(names, entry->d_name) < 0)
			return -ENOMEM;
	}
	if (names->count)
		qsort((void *)names->items, names->count, sizeof(*names->items), compare_names);
	return 0;
}

/* Take what `pattern` names below `dir` ("" or "a/b/"). */
static int walk(struct capture *capture, const char *dir, const char *pattern)
{
	const size_t length = strcspn(pattern, "/");
	const char *const rest = pattern + length + (pattern[length] == '/');
	cleanup_free char *part = strndup(pattern, length);
	cleanup_names struct names names = { NULL, 0 };
	int r;

	if (!part || find(capture, *dir ? dir : ".", part, &names) < 0)
		return err_nomem(capture->err);
	r = 0;
	for (size_t i = 0; i < names.count && r == 0; i++) {
		cleanup_text struct text path = TEXT_INIT;
		char target[ARCHIVE_MAX_PATH];

		text_add(&path, "%s%s", dir, names.items[i]);
		if (path.failed)
			return err_nomem(capture->err);
		if (capture->row->links && read_link(capture, path.data, target)) {
			r = archive_add_link(&capture->helper, path.data, target, capture->err);
		} else if (*rest) {
			text_add(&path, "/");
			r = path.failed ? err_nomem(capture->err) : walk(capture, path.data, rest);
		} else {
			r = add_file(capture, path.data);
		}
	}
	return r;
}

static int take_rows(struct capture *capture)
{
	int r = 0;

	for (size_t i = 0; i < capture_row_count && r == 0; i++) {
		capture->row = &capture_rows[i];
		r = walk(capture, "", capture->row->pattern);
	}
	capture->row = NULL;
	return r;
}

/* One directory's limits, and that our process is in it: the way a replay finds it where namespaces hide its name. */
static int take_cgroup(struct capture *capture, const char *dir, size_t length, bool own)
{
	char pid[24];
	int r = 0;

	for (const char *const *file = capture_cgroup_files; *file && r == 0; file++) {
		cleanup_text struct text path = TEXT_INIT;

		text_add(&path, "%.*s/%s", (int)length, dir, *file);
		r = path.failed ? err_nomem(capture->err) : add_file(capture, path.data);
	}
	if (r == 0 && own) {
		cleanup_text struct text path = TEXT_INIT;

		(void)snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
		text_add(&path, "%.*s/cgroup.procs", (int)length, dir);
		r = path.failed ? err_nomem(capture->err) : add(capture, path.data, pid, strlen(pid));
	}
	return r;
}

/* From our own directory of one hierarchy to the highest we see. */
static int take_hierarchy(struct capture *capture, const struct cgroup_path *path)
{
	size_t length = strlen(path->dir);
	int r = take_cgroup(capture, path->dir, length, true);

	while (r == 0 && length > path->top_length) {
		while (length > path->top_length && path->dir[--length] != '/')
			;
		r = take_cgroup(capture, path->dir, length, false);
	}
	return r;
}

static int take_cgroups(struct capture *capture)
{
	static const char *const controllers[] = { "cpu", "memory", "cpuset" };
	struct cgroup_path paths[ARRAY_SIZE(controllers)] = { { NULL } };
	cleanup_mounts struct mounts mounts = { NULL };
	cleanup_free char *memberships = NULL;
	int r = 0;

	if (sysroot_read(&capture->root, "/proc/self/cgroup", &memberships) < 0 ||
	    mounts_read(&capture->root, &mounts) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(controllers) && r == 0; i++) {
		bool taken = false;

		if (cgroup_path_find(&capture->root, &mounts, memberships, controllers[i], getpid(), &paths[i]) < 0)
			continue;
		/* v2 has one directory for all, and v1 may have. */
		for (size_t k = 0; k < i; k++)
			taken |= paths[k].dir && strcmp(paths[k].dir, paths[i].dir) == 0;
		if (!taken)
			r = take_hierarchy(capture, &paths[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		free(paths[i].dir);
	return r;
}

/* What only system calls tell. hwloc looks for the first file in captures of its own. */
static int take_answers(struct capture *capture, bool with_hostname)
{
	cleanup_bitmap hwloc_bitmap_t affinity = limits_affinity();
	cleanup_free char *list_text = affinity ? cpulist_text(affinity) : NULL;
	cleanup_text struct text text = TEXT_INIT;
	struct utsname names;
	int r;

	if (uname(&names) < 0)
		return err_errno(capture->err, -errno, "uname");
	text_add(&text, "OSName: %s\nOSRelease: %s\nArchitecture: %s\n", names.sysname, names.release, names.machine);
	if (with_hostname)
		text_add(&text, "HostName: %s\n", names.nodename);
	if (text.failed)
		return err_nomem(capture->err);
	r = add(capture, "proc/hwloc-nofile-info", text.data, text.length);
	return r == 0 && list_text ? add(capture, LIMITS_AFFINITY_FILE, list_text, strlen(list_text)) : r;
}

int capture_write(int fd, const char *filter, bool with_hostname, size_t *ret_files, struct err *err)
{
	struct capture capture = { .root = SYSROOT_INIT, .helper = ARCHIVE_HELPER_INIT, .err = err };
	cleanup_close int cpus = -1;
	int r = sysroot_open(&capture.root, "/", err);

	if (r < 0)
		return r;
	cpus = sysroot_open_file(&capture.root, "/sys/devices/system/cpu");
	if (cpus < 0)
		r = err_errno(err, cpus, "there is nothing to capture: /sys/devices/system/cpu");
	if (r == 0)
		r = archive_create(fd, filter, &capture.helper, err);
	if (r == 0)
		r = take_rows(&capture);
	if (r == 0)
		r = take_cgroups(&capture);
	if (r == 0)
		r = take_answers(&capture, with_hostname);
	if (r == 0)
		r = archive_finish(&capture.helper, err);
	archive_close(&capture.helper);
	sysroot_close(&capture.root);
	if (r == 0)
		*ret_files = capture.files;
	return r;
}
