/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/root.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/host.h"
#include "machine/limits.h"
#include "machine/machine.h"
#include "machine/root_files.h"
#include "machine/source.h"
#include "machine/topology.h"

#include <string.h>
#include <sys/stat.h>

/* How deep a capture may lie, and how many folders are looked at. */
enum { DEPTH_MAX = 2, FOLDERS_MAX = 1000 };

/* Where a capture was found. */
struct place {
	char *dir; /* owned; below the source's directory, "" for itself */
	bool cpuid;
	unsigned count; /* of captures at this depth */
	unsigned looked;
};

static bool is_there(const struct sysroot *root, const char *dir, const char *name, mode_t type)
{
	cleanup_text struct text path = TEXT_INIT;
	cleanup_close int fd = -1;
	struct stat st;

	text_add(&path, "%s/%s", dir, name);
	fd = path.failed ? -1 : sysroot_open_file(root, path.data);
	return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

static int look(const struct sysroot *root, const char *dir, struct place *place)
{
	const bool kernel = is_there(root, dir, "sys/devices/system/cpu", S_IFDIR);

	if (!kernel && !is_there(root, dir, "hwloc-cpuid-info", S_IFREG))
		return 0;
	place->count++;
	if (place->dir)
		return 0;
	place->cpuid = !kernel;
	place->dir = strdup(dir);
	return place->dir ? 0 : -ENOMEM;
}

/* Look at every folder `depth` below `dir`. */
static int search(const struct sysroot *root, const char *dir, unsigned depth, struct place *place)
{
	cleanup_dir DIR *stream = NULL;
	const struct dirent *entry;
	int fd, r = 0;

	if (depth == 0)
		return look(root, dir, place);
	fd = sysroot_open_file(root, *dir ? dir : ".");
	stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (!stream) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	while (r == 0 && (entry = readdir(stream)) && place->looked < FOLDERS_MAX) {
		cleanup_text struct text path = TEXT_INIT;

		if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		place->looked++;
		text_add(&path, "%s/%s", dir, entry->d_name);
		r = path.failed ? -ENOMEM : search(root, path.data, depth - 1, place);
	}
	return r;
}

static int find(const struct sysroot *root, const char *name, struct place *place, struct err *err)
{
	for (unsigned depth = 0; depth <= DEPTH_MAX && !place->count; depth++) {
		if (search(root, "", depth, place) < 0)
			return err_nomem(err);
	}
	if (place->count > 1)
		return err_set(err, -EINVAL, "cannot read machine '%s': it holds %u captures; name one", name,
			       place->count);
	if (!place->count)
		return err_set(err, -EINVAL, "cannot read machine '%s': no 'sys/devices/system/cpu' in it", name);
	return 0;
}

static int read_place(const struct source *source, const struct place *place, struct machine *machine, struct err *err)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_text struct text dir = TEXT_INIT;
	struct topology_root topology = { .name = source->name, .cpuid = place->cpuid };
	int r;

	text_add(&dir, "%s%s", source->dir, place->dir);
	if (dir.failed)
		return err_nomem(err);
	topology.dir = dir.data;
	r = root_check_files(dir.data, source->name, err);
	if (r == 0)
		r = topology_read_root(&topology, machine, err);
	if (r == 0)
		r = sysroot_open(&root, dir.data, err);
	if (r == 0)
		r = limits_read_captured(&root, machine, err);
	/* Now: an archive is unpacked only as long as its source is open. */
	return r < 0 ? r : host_read(&root, machine->limits.pus_os, 0, &machine->host, err);
}

int root_read(const struct source *source, struct machine *machine, struct err *err)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	struct place place = { .dir = NULL };
	int r = sysroot_open(&root, source->dir, err);

	if (r == 0)
		r = find(&root, source->name, &place, err);
	if (r == 0)
		r = read_place(source, &place, machine, err);
	free(place.dir);
	return r;
}
