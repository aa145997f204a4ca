/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/root_files.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* cpu/cpuN/cache/indexN/power is the deepest the kernel has. */
enum { DEPTH_MAX = 8 };

static const char *const folders[] = { "sys/devices/system/cpu", "sys/devices/system/node" };
static const char *const files[] = { "proc/cpuinfo", "proc/meminfo", "proc/mounts", "proc/self/cgroup",
				     "proc/self/mounts" };

struct walk {
	const char *name;
	struct err *err;
};

/* Where a link leads on this machine is where hwloc reads. What is not there cannot be read. */
static bool is_harmless(int folder_fd, const char *name)
{
	struct stat st;

	return fstatat(folder_fd, name, &st, 0) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
}

static int refuse(const struct walk *walk, const char *path)
{
	return err_set(walk->err, -EINVAL, "cannot read machine '%.200s': '%.200s' in it is no regular file",
		       walk->name, path);
}

static int check_folder(const struct walk *walk, int parent_fd, const char *name, const char *path, unsigned depth)
{
	/* Not through links: what they lead to is looked at where it lies, and circles have no end. */
	const int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int r = 0;

	if (!stream) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	while (r == 0 && (entry = readdir(stream))) {
		cleanup_text struct text below = TEXT_INIT;

		/* The listing tells most of them apart; a capture has ten thousand. */
		if (entry->d_type == DT_REG || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		text_add(&below, "%s/%s", path, entry->d_name);
		if (below.failed)
			return err_nomem(walk->err);
		if (entry->d_type != DT_DIR && !is_harmless(fd, entry->d_name))
			return refuse(walk, below.data);
		if (entry->d_type != DT_LNK && depth < DEPTH_MAX)
			r = check_folder(walk, fd, entry->d_name, below.data, depth + 1);
	}
	return r;
}

int root_check_files(const char *dir, const char *name, struct err *err)
{
	const struct walk walk = { name, err };
	cleanup_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return err_errno(err, -errno, "cannot read machine '%.200s'", name);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (!is_harmless(fd, files[i]))
			return refuse(&walk, files[i]);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++)
		r = check_folder(&walk, fd, folders[i], folders[i], 0);
	return r;
}
