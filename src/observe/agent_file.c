/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/agent_file.h"

#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/record.h"
#include "observe/board.h"
#include "observe/proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static void note_variables(const char *const *environment, struct agent_record *record)
{
	size_t length = 0;
	const char *list = record_field(environ_value(environment, RECORD_VARIABLE), "set=", &length);

	if (!list)
		return;
	for (const char *const end = list + length; list < end;) {
		const char *const comma = memchr(list, ',', (size_t)(end - list));
		const size_t name = (size_t)((comma ? comma : end) - list);
		struct agent_variable *variable = &record->variables[record->variable_count];
		const char *value;

		if (name >= sizeof(variable->name) || record->variable_count == AGENT_VARIABLES) {
			record->variables_left_out++;
		} else {
			memcpy(variable->name, list, name);
			value = environ_value(environment, variable->name);
			if (value) {
				variable->hash = agent_hash(value);
				record->variable_count++;
			} else {
				memset(variable, 0, sizeof(*variable));
			}
		}
		list += name + 1;
	}
}

int agent_file_make(const char *const *environment, struct agent_file *ret_file, struct err *err)
{
	static const char what[] = "cannot make the agent's record";
	cleanup_close int fd = -1;
	struct agent_record *record;
	uint64_t cookie;
	int r = board_make(AGENT_RECORD_NAME, sizeof(*record), sizeof(*record), SEALS, &fd, &cookie);

	if (r < 0)
		return err_errno(err, r, "%s", what);
	record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (record == MAP_FAILED)
		return err_errno(err, -errno, "%s", what);
	record->version = AGENT_RECORD_VERSION;
	record->size = sizeof(*record);
	record->cookie = cookie;
	note_variables(environment, record);
	memcpy(record->magic, AGENT_RECORD_MAGIC, sizeof(record->magic));
	*ret_file = (struct agent_file){ .fd = fd, .record = record };
	fd = -1;
	return 0;
}

int agent_file_tell(const struct agent_file *file, char **environment)
{
	return board_tell(AGENT_RECORD_FIELD, file->fd, file->record->cookie, environment);
}

/* Asked before it is opened: what another process says it has there may be a device. */
static bool is_named(const struct sysroot *root, const char *path, uint64_t cookie)
{
	cleanup_free char *target = NULL;
	char name[64];

	(void)snprintf(name, sizeof(name), "/memfd:" AGENT_RECORD_NAME "%016" PRIx64 " (deleted)", cookie);
	return proc_link(root, path, &target) == 0 && strcmp(target, name) == 0;
}

/* Nobody may make it shorter under our eyes, whoever made it. */
static int map_found(int fd, uint64_t cookie, struct agent_file *ret_file)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	struct agent_record *record;
	struct stat st;

	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &st) < 0 || st.st_size != sizeof(*record))
		return -EINVAL;
	record = mmap(NULL, sizeof(*record), PROT_READ, MAP_SHARED, fd, 0);
	if (record == MAP_FAILED)
		return -errno;
	ret_file->record = record;
	return memcmp(record->magic, AGENT_RECORD_MAGIC, sizeof(record->magic)) == 0 &&
			       record->version == AGENT_RECORD_VERSION && record->size == sizeof(*record) &&
			       record->cookie == cookie
		       ? 0
		       : -EINVAL;
}

bool agent_file_named(const char *plan)
{
	size_t length = 0;

	return record_field(plan, AGENT_RECORD_FIELD, &length) != NULL;
}

/* "PID:FD:COOKIE" of the plan. */
static int read_place(const char *plan, unsigned *ret_pid, unsigned *ret_fd, uint64_t *ret_cookie)
{
	size_t length = 0;
	const char *field = record_field(plan, AGENT_RECORD_FIELD, &length);
	char place[64], *save = NULL, *pid, *fd, *cookie, *end;

	if (!field || length >= sizeof(place))
		return -EINVAL;
	memcpy(place, field, length);
	place[length] = '\0';
	pid = strtok_r(place, ":", &save);
	fd = strtok_r(NULL, ":", &save);
	cookie = strtok_r(NULL, "", &save);
	if (!pid || !fd || !cookie || parse_unsigned(pid, ret_pid) < 0 || parse_unsigned(fd, ret_fd) < 0 ||
	    strspn(cookie, "0123456789abcdef") != AGENT_COOKIE_DIGITS)
		return -EINVAL;
	*ret_cookie = strtoull(cookie, &end, 16);
	return *end ? -EINVAL : 0;
}

int agent_file_find(const struct sysroot *root, const char *plan, struct agent_file *ret_file)
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT;
	unsigned pid, fd;
	uint64_t cookie;
	char path[64];
	int r;

	if (!root->live || !agent_file_named(plan))
		return -ENOENT;
	r = read_place(plan, &pid, &fd, &cookie);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/%u/fd/%u", pid, fd);
	if (!is_named(root, path, cookie))
		return -ENOENT;
	file.fd = openat(root->fd, path + 1, O_RDONLY | O_CLOEXEC);
	if (file.fd < 0)
		return -errno;
	r = map_found(file.fd, cookie, &file);
	if (r < 0)
		return r;
	*ret_file = file;
	file = (struct agent_file)AGENT_FILE_INIT;
	return 0;
}

void agent_file_close(struct agent_file *file)
{
	if (file->record)
		(void)munmap((void *)file->record, sizeof(*file->record));
	if (file->fd >= 0)
		(void)close(file->fd);
	*file = (struct agent_file)AGENT_FILE_INIT;
}
