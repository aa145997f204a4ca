/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/objects.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "observe/proc.h"
#include "target/elf_dynamic.h"
#include "target/elf_symbols.h"
#include "target/tree.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char *const symbol_names[SYMBOL_COUNT] = { "malloc", "GOMP_parallel", "__kmpc_fork_call", "mallctl" };

/* More than any program maps; a hostile one must not eat our memory. */
enum { OBJECTS_MAX = 8192 };

void object_clear(struct observed_object *object)
{
	free(object->path);
	free(object->linked);
	free(object->soname);
	words_clear(&object->needed);
}

/* One line of maps, split. `path` points into the line. */
struct map_line {
	uint64_t low, high, inode;
	bool runs;
	const char *device;
	size_t device_length;
	const char *path;
};

/* "LOW-HIGH rwxp OFFSET DEVICE INODE   PATH". */
static bool split(char *line, struct map_line *map)
{
	const char *at = line;
	uint64_t offset;

	line[strcspn(line, "\n")] = '\0';
	if (!proc_take(&at, 16, &map->low) || *at++ != '-' || !proc_take(&at, 16, &map->high) || strlen(at) < 6)
		return false;
	map->runs = at[3] == 'x';
	at += strlen(" rwxp");
	if (!proc_take(&at, 16, &offset))
		return false;
	map->device = at + strspn(at, " ");
	map->device_length = strcspn(map->device, " ");
	at = map->device + map->device_length;
	if (!proc_take(&at, 10, &map->inode))
		return false;
	map->path = at + strspn(at, " ");
	return map->path[0] == '/';
}

static struct observed_object *add(struct observed_process *process, const struct map_line *map)
{
	static const char deleted[] = " (deleted)";
	struct observed_object *grown;
	size_t length = strlen(map->path);
	const bool gone = length > strlen(deleted) && strcmp(map->path + length - strlen(deleted), deleted) == 0;

	if (process->object_count == OBJECTS_MAX)
		return NULL;
	grown = array_grow(process->objects, &process->object_capacity, process->object_count, sizeof(*grown));
	if (!grown)
		return NULL;
	process->objects = grown;
	grown += process->object_count;
	*grown = (struct observed_object){ .inode = map->inode, .low = map->low, .high = map->high, .order = -1 };
	(void)snprintf(grown->device, sizeof(grown->device), "%.*s", (int)map->device_length, map->device);
	length -= gone ? strlen(deleted) : 0;
	grown->path = strndup(map->path, length);
	grown->deleted = gone;
	if (!grown->path)
		return NULL;
	process->object_count++;
	return grown;
}

/*
 * Take a line in. A library's segments stand together, and so they are one object; mapped twice (two namespaces of
 * dlmopen, say) it is two.
 */
static int take(struct observed_process *process, const struct map_line *map, char **last_path, bool *last_is_object)
{
	struct observed_object *object = process->object_count ? &process->objects[process->object_count - 1] : NULL;
	const bool same = *last_path && strcmp(*last_path, map->path) == 0;

	if (!same) {
		free(*last_path);
		*last_path = strdup(map->path);
		*last_is_object = false;
		if (!*last_path)
			return -ENOMEM;
		object = add(process, map);
		if (!object)
			return process->object_count == OBJECTS_MAX ? 0 : -ENOMEM;
		*last_is_object = true;
	}
	if (!*last_is_object || !object)
		return 0;
	object->high = map->high;
	if (map->runs) {
		if (!object->code_end)
			object->code = map->low;
		object->code_end = map->high;
	}
	return 0;
}

/* Files that are mapped and never run from are data: forget them. */
static void drop_data(struct observed_process *process)
{
	size_t kept = 0;

	for (size_t i = 0; i < process->object_count; i++) {
		if (process->objects[i].code_end)
			process->objects[kept++] = process->objects[i];
		else
			object_clear(&process->objects[i]);
	}
	process->object_count = kept;
}

static int read_maps(const struct observe_request *request, struct observation *observation,
		     struct observed_process *process)
{
	cleanup_file FILE *file = NULL;
	cleanup_free char *line = NULL, *last_path = NULL;
	bool last_is_object = false;
	char path[PROC_PATH];
	size_t capacity = 0;
	int r;

	proc_path(path, process->pid, "maps");
	r = proc_open(request->root, observation, path, "the libraries of the process", &file);
	if (r != 1)
		return r;
	for (r = 0; r == 0 && getline(&line, &capacity, file) > 0;) {
		struct map_line map;

		if (split(line, &map))
			r = take(process, &map, &last_path, &last_is_object);
	}
	/* The kernel checks our right at the first read, not when the file is opened. */
	if (r == 0 && ferror(file))
		return proc_gap(observation, path, "the libraries of the process", -EACCES);
	drop_data(process);
	process->objects_known = process->object_count > 0;
	return r;
}

int object_open(const struct observe_request *request, const struct observed_process *process, const char *path)
{
	return process->own_mounts ? object_open_inside(request, process, path)
				   : sysroot_open_file(request->root, path);
}

int object_open_inside(const struct observe_request *request, const struct observed_process *process, const char *path)
{
	char whole[PROC_PATH + 4096];

	if ((size_t)snprintf(whole, sizeof(whole), "/proc/%d/root%s", (int)process->pid, path) >= sizeof(whole))
		return -ENAMETOOLONG;
	return sysroot_open_file(request->root, whole);
}

/* What its file says of it. A file that is gone says nothing: `symbols_known` stays false. */
static int read_file(const struct observe_request *request, const struct observed_process *process,
		     struct observed_object *object)
{
	cleanup_elf_dynamic struct elf_dynamic dynamic = { 0 };
	cleanup_close int fd = object->deleted ? -ENOENT : object_open(request, process, object->path);
	int r = fd < 0 ? fd : elf_dynamic_read(fd, &dynamic);

	if (r == 0) {
		object->soname = TAKE(dynamic.soname);
		object->needed = dynamic.needed;
		dynamic.needed = (struct words){ .count = 0 };
		r = elf_symbols_defined(fd, symbol_names, SYMBOL_COUNT, object->defines);
		object->symbols_known = r == 0;
	}
	object->library = library_name_find(object->soname ? object->soname : tree_name(object->path));
	if (!object->library)
		object->library = library_name_find(tree_name(object->path));
	return r == -ENOMEM ? r : 0;
}

static int read_auxv(const struct observe_request *request, struct observation *observation,
		     struct observed_process *process)
{
	unsigned char auxv[2048];
	char path[PROC_PATH];
	cleanup_close int fd = -1;
	ssize_t length;

	proc_path(path, process->pid, "auxv");
	fd = sysroot_open_file(request->root, path);
	length = fd < 0 ? -1 : read(fd, auxv, sizeof(auxv));
	if (length < 0)
		return proc_gap(observation, path, "the order in which the process's loader has its libraries",
				fd < 0 ? fd : -errno);
	return link_map_read(request, observation, process, auxv, (size_t)length);
}

int objects_read(const struct observe_request *request, struct observation *observation,
		 struct observed_process *process)
{
	int r = read_maps(request, observation, process);

	for (size_t i = 0; r == 0 && i < process->object_count; i++)
		r = read_file(request, process, &process->objects[i]);
	if (r == 0 && process->objects_known)
		r = read_auxv(request, observation, process);
	if (r == 0)
		owners_decide(process);
	return r;
}

int object_find(const struct observed_process *process, const char *name)
{
	const char *const file = tree_name(name);

	for (size_t i = 0; i < process->object_count; i++) {
		const struct observed_object *object = &process->objects[i];

		if (strcmp(tree_name(object->path), file) == 0 ||
		    (object->soname && strcmp(object->soname, file) == 0) ||
		    (object->linked && strcmp(tree_name(object->linked), file) == 0))
			return (int)i;
	}
	return -1;
}
