/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/board.h"

#include "base/cleanup.h"
#include "base/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>

static bool is_over_limit(size_t size)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < size;
}

int board_make(const char *prefix, size_t size, size_t most, int seals, int *ret_fd, uint64_t *ret_cookie)
{
	cleanup_close int fd = -1;
	uint64_t cookie;
	char name[64];

	if (getrandom(&cookie, sizeof(cookie), 0) != sizeof(cookie))
		return -errno;
	(void)snprintf(name, sizeof(name), "%s%016" PRIx64, prefix, cookie);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (is_over_limit(most))
		return -EFBIG;
	if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
		return -errno;
	*ret_fd = fd;
	*ret_cookie = cookie;
	fd = -1;
	return 0;
}

int board_tell(const char *field, int fd, uint64_t cookie, char **environment)
{
	static const char list[] = ";set=", name[] = RECORD_VARIABLE "=";

	for (char **word = environment; word && *word; word++) {
		const char *const set = strncmp(*word, name, sizeof(name) - 1) == 0 ? strstr(*word, list) : NULL;
		char *told;

		if (!set)
			continue;
		if (asprintf(&told, "%.*s;%s%d:%d:%016" PRIx64 "%s", (int)(set - *word), *word, field, (int)getpid(),
			     fd, cookie, set) < 0)
			return -ENOMEM;
		free(*word);
		*word = told;
		return 0;
	}
	return 0;
}
