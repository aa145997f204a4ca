/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking: whatever is in an archive, what comes out are files, folders, and links that lead to places inside. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "helper.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int folder_fd;
static size_t folder_length;

/* Leaving the folder and not being there are told apart by their errors: EXDEV is the former. */
static int check(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH };
	int fd;

	(void)flag;
	if (ftw->level == 0)
		return 0;
	MUST(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode));
	fd = (int)syscall(SYS_openat2, folder_fd, path + folder_length + 1, &how, sizeof(how));
	MUST(fd >= 0 || errno != EXDEV);
	if (fd >= 0)
		(void)close(fd);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	(void)remove(path);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char folder[] = "/dev/shm/fettle-fuzz-XXXXXX";
	cleanup_close int input = memfd_create("input", MFD_CLOEXEC), dir = -1;
	struct err err = { .code = 0 };

	MUST(input >= 0 && write(input, data, size) == (ssize_t)size && lseek(input, 0, SEEK_SET) == 0);
	if (!mkdtemp(folder))
		return 0; /* no /dev/shm here */
	dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(dir >= 0);
	if (unpack(input, dir, &err) < 0)
		MUST(err.code < 0 && err.text[0]);
	folder_fd = dir;
	folder_length = strlen(folder);
	MUST(nftw(folder, check, 16, FTW_PHYS) == 0);
	(void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
