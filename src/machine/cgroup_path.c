/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/cgroup_path.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/mounts.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* Directories looked at before a search through another namespace's names is given up. */
enum { SEARCH_MAX_DIRS = 20000 };

/* Is `word` one of the comma-separated words of list[0..length]? */
static bool has_word(const char *list, size_t length, const char *word)
{
	const size_t n = strlen(word);

	for (const char *p = list, *end = list + length; p < end; p += strcspn(p, ",") + 1) {
		if (strncmp(p, word, n) == 0 && (p + n == end || p[n] == ','))
			return true;
	}
	return false;
}

/*
 * The path in the "id:controllers:path" line that governs `controller`: its own v1 hierarchy, or
 * v2's "0::path", which has every controller that no v1 hierarchy took. NULL when there is no line.
 */
static char *membership(const char *text, const char *controller, bool *ret_unified)
{
	const char *found = NULL;

	*ret_unified = false;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *controllers, *path;

		line += *line == '\n';
		controllers = memchr(line, ':', strcspn(line, "\n"));
		path = controllers ? memchr(controllers + 1, ':', strcspn(controllers + 1, "\n")) : NULL;
		if (!path)
			continue;
		if (path == controllers + 1 && !found) {
			found = path + 1;
			*ret_unified = true;
		} else if (has_word(controllers + 1, (size_t)(path - controllers - 1), controller)) {
			*ret_unified = false;
			found = path + 1;
			break;
		}
	}
	return found ? strndup(found, strcspn(found, "\n")) : NULL;
}

/* Skip the leading "/..": how far above our cgroup namespace's root the path begins. "/" becomes "". */
static const char *skip_ups(const char *path, unsigned *ret_ups)
{
	*ret_ups = 0;
	while (strncmp(path, "/..", 3) == 0 && (path[3] == '/' || !path[3])) {
		path += 3;
		(*ret_ups)++;
	}
	return strcmp(path, "/") == 0 ? "" : path;
}

static unsigned count_components(const char *path)
{
	unsigned count = 0;

	for (; *path; path++)
		count += path[0] == '/' && path[1] && path[1] != '/';
	return count;
}

/* Does the cgroup.procs of `dir` name the process? */
static bool holds_process(const struct sysroot *root, const char *dir, pid_t pid)
{
	cleanup_text struct text path = TEXT_INIT;
	cleanup_free char *procs = NULL;
	char *save = NULL;
	uint64_t id;

	text_add(&path, "%s/cgroup.procs", dir);
	if (path.failed || sysroot_read(root, path.data, &procs) < 0)
		return false;
	for (const char *line = strtok_r(procs, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (parse_u64(line, &id) == 0 && id == (uint64_t)pid)
			return true;
	}
	return false;
}

/* The directory exactly `depth` levels below `dir` that holds the process; NULL when none does. */
static char *search(const struct sysroot *root, const char *dir, unsigned depth, pid_t pid, unsigned *budget)
{
	cleanup_dir DIR *stream = NULL;
	const struct dirent *entry;
	char *found = NULL;
	int fd;

	if (*budget == 0)
		return NULL;
	(*budget)--;
	if (depth == 0)
		return holds_process(root, dir, pid) ? strdup(dir) : NULL;
	fd = sysroot_open_file(root, dir);
	stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (!stream) {
		if (fd >= 0)
			(void)close(fd);
		return NULL;
	}
	while (!found && (entry = readdir(stream))) {
		cleanup_text struct text path = TEXT_INIT;

		if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		text_add(&path, "%s/%s", dir, entry->d_name);
		if (!path.failed)
			found = search(root, path.data, depth - 1, pid, budget);
	}
	return found;
}

/*
 * The directory of cgroup `path` below a mount whose root is `mount->root`. Both are seen from our
 * cgroup namespace: a mount made outside it begins above ("/../.."), by names that are hidden from us,
 * so that the way down to us has to be looked for. NULL: not below this mount.
 */
static char *locate(const struct sysroot *root, const struct mount *mount, const char *path, pid_t pid)
{
	unsigned root_ups, path_ups, down, budget = SEARCH_MAX_DIRS;
	const char *const root_tail = skip_ups(mount->root, &root_ups);
	const char *const path_tail = skip_ups(path, &path_ups);
	const char *const point = strcmp(mount->point, "/") == 0 ? "" : mount->point;
	const size_t n = strlen(root_tail);
	cleanup_text struct text dir = TEXT_INIT;

	if (root_ups < path_ups)
		return NULL;
	if (root_ups == path_ups) {
		if (strncmp(path_tail, root_tail, n) != 0 || (path_tail[n] && path_tail[n] != '/'))
			return NULL;
		text_add(&dir, "%s%s", point, path_tail + n);
		return !dir.failed && sysroot_has_folder(root, dir.data) ? text_take(&dir) : NULL;
	}
	down = root_ups - path_ups + count_components(path_tail);
	if (down <= count_components(root_tail))
		return NULL;
	return search(root, point, down - count_components(root_tail), pid, &budget);
}

static bool mount_fits(const struct mount *mount, bool unified, const char *controller)
{
	if (unified)
		return strcmp(mount->type, "cgroup2") == 0;
	return strcmp(mount->type, "cgroup") == 0 && has_word(mount->options, strlen(mount->options), controller);
}

int cgroup_path_find(const struct sysroot *root, const struct mounts *mounts, const char *memberships,
		     const char *controller, pid_t pid, struct cgroup_path *ret_path)
{
	bool unified;
	cleanup_free char *path = membership(memberships, controller, &unified);

	if (!path)
		return -ENOENT;
	for (size_t i = 0; i < mounts->count; i++) {
		const struct mount *mount = &mounts->items[i];
		char *dir;

		if (!mount_fits(mount, unified, controller))
			continue;
		dir = locate(root, mount, path, pid);
		if (dir) {
			*ret_path = (struct cgroup_path){ .dir = dir,
							  .top_length = strlen(mount->point),
							  .unified = unified };
			return 0;
		}
	}
	return -ENXIO;
}
