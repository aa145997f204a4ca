/* SPDX-License-Identifier: Apache-2.0 */
#include "target/loader_private.h"

#include "base/cleanup.h"
#include "target/elf.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

/* The same place in both classes. */
enum { FIELD_MACHINE = offsetof(Elf64_Ehdr, e_machine) };

void loader_file_clear(struct loader_file *file)
{
	free(file->path);
	elf_dynamic_clear(&file->dynamic);
	*file = (struct loader_file){ .path = NULL };
}

/* One that this program's loader takes, as far as its headers say. */
static bool fits(const struct loader_program *program, const struct elf_dynamic *dynamic)
{
	return dynamic->dynamic && dynamic->class == program->class && dynamic->machine == program->machine &&
	       dynamic->big == program->big;
}

int loader_read(const struct loader *loader, const char *path, struct loader_file *ret_file)
{
	struct loader_file file = { .way = LOADER_NAMED };
	cleanup_close int fd = tree_open(loader->root, path, &file.id);
	int r;

	if (fd < 0)
		return fd;
	r = elf_dynamic_read(fd, &file.dynamic);
	if (r < 0)
		return r;
	file.path = strdup(path);
	if (!file.path) {
		elf_dynamic_clear(&file.dynamic);
		return -ENOMEM;
	}
	*ret_file = file;
	return fits(&loader->program, &file.dynamic);
}

/* The file is there, or should be, and does not open. */
static int judge_failure(const struct loader_program *program, int failure)
{
	if (failure == -ELOOP || failure == -ENXIO) /* links in a circle; a socket */
		return LOADER_LIST_ENDS;
	if (program->libc != TARGET_LIBC_MUSL && (failure == -ENOTDIR || failure == -ENAMETOOLONG))
		return LOADER_LIST_ENDS;
	return failure == -ENOMEM ? failure : LOADER_NONE;
}

/*
 * What the loader says of the file before it looks at more than its header; NULL: nothing. glibc passes over a file of
 * another class or machine, in the order of the checks here, so that one of another class may have any byte order.
 */
static const char *judge_header(const struct loader_program *program, int fd, const struct stat *status,
				bool *ret_passed_over)
{
	const size_t size = program->class == 64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
	unsigned char header[sizeof(Elf64_Ehdr)];
	unsigned machine;
	bool big;

	*ret_passed_over = false;
	if (S_ISDIR(status->st_mode))
		return "is a folder";
	if (S_ISFIFO(status->st_mode))
		return "is a pipe, for which the loader would wait";
	if (!S_ISREG(status->st_mode))
		return "is no regular file";
	if (pread(fd, header, size, 0) != (ssize_t)size)
		return "is too short for a library";
	if (!elf_begins((const char *)header, size))
		return "is no ELF file";
	if (program->libc == TARGET_LIBC_MUSL)
		return NULL;
	*ret_passed_over = header[EI_CLASS] != (program->class == 64 ? ELFCLASS64 : ELFCLASS32);
	if (*ret_passed_over)
		return NULL;
	big = header[EI_DATA] == ELFDATA2MSB;
	if (big != program->big)
		return "has the other byte order";
	machine = header[FIELD_MACHINE + big] | (unsigned)header[FIELD_MACHINE + !big] << 8;
	*ret_passed_over = machine != program->machine;
	return NULL;
}

/* 0 or -ENOMEM; `file->why_stopped` stays NULL where it is a library that fits. */
static int judge_library(const struct loader_program *program, int fd, struct loader_file *file)
{
	int r = elf_dynamic_read(fd, &file->dynamic);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		file->why_stopped = r == -ENOEXEC ? "is cut off or broken" : "cannot be read";
	else if (!file->dynamic.dynamic)
		file->why_stopped = "is no shared library";
	else if (!fits(program, &file->dynamic))
		/* musl looks at neither class nor machine, and cannot relocate what it has mapped. */
		file->why_stopped = "is for another machine";
	return 0;
}

int loader_try(const struct loader *loader, const char *path, enum loader_way way, struct loader_file *ret_file)
{
	cleanup_loader_file struct loader_file file = { .way = way };
	cleanup_close int fd = sysroot_open_file(loader->root, path);
	struct stat status;
	bool passed_over;

	if (fd < 0)
		return judge_failure(&loader->program, fd);
	if (fstat(fd, &status) < 0)
		return LOADER_NONE;
	file.id = (struct tree_id){ status.st_dev, status.st_ino };
	file.why_stopped = judge_header(&loader->program, fd, &status, &passed_over);
	if (passed_over)
		return LOADER_NONE;
	if (!file.why_stopped && judge_library(&loader->program, fd, &file) < 0)
		return -ENOMEM;
	file.path = strdup(path);
	if (!file.path)
		return -ENOMEM;
	*ret_file = file;
	file = (struct loader_file){ .path = NULL };
	return ret_file->why_stopped ? LOADER_STOPPED : LOADER_FOUND;
}
