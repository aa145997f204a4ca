/* SPDX-License-Identifier: Apache-2.0 */
#include "root_help.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

char *root_make(void)
{
	char template[] = "/tmp/fettle-root-XXXXXX", *dir;

	assert_non_null(mkdtemp(template));
	dir = strdup(template);
	assert_non_null(dir);
	return dir;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void root_remove(char *dir)
{
	assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(dir);
}

void root_put(const char *dir, const char *path, const char *text)
{
	cleanup_file FILE *file = NULL;
	char whole[512];

	(void)snprintf(whole, sizeof(whole), "%s/%s", dir, path);
	for (char *slash = strchr(whole + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(whole, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	file = fopen(whole, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static void put_number(const char *dir, unsigned cpu, const char *name, unsigned number)
{
	char path[128], text[16];

	(void)snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/%s", cpu, name);
	(void)snprintf(text, sizeof(text), "%u\n", number);
	root_put(dir, path, text);
}

void root_put_machine(const char *dir, unsigned nodes, unsigned cores)
{
	char path[128], text[64];

	(void)snprintf(text, sizeof(text), "0-%u\n", 2 * cores - 1);
	root_put(dir, "sys/devices/system/cpu/online", text);
	root_put(dir, "sys/devices/system/cpu/possible", text);
	for (unsigned os = 0; os < 2 * cores; os++) {
		const unsigned long long siblings = 1ULL << (os % cores) | 1ULL << (os % cores + cores);

		put_number(dir, os, "physical_package_id", 0);
		put_number(dir, os, "core_id", os % cores);
		(void)snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/thread_siblings", os);
		(void)snprintf(text, sizeof(text), "%llx\n", siblings);
		root_put(dir, path, text);
		(void)snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/core_siblings", os);
		(void)snprintf(text, sizeof(text), "%llx\n", (1ULL << 2 * cores) - 1);
		root_put(dir, path, text);
	}
	(void)snprintf(text, sizeof(text), "0-%u\n", nodes - 1);
	root_put(dir, "sys/devices/system/node/online", text);
	for (unsigned os = 0; os < nodes; os++) {
		const unsigned share = cores / nodes;
		const unsigned long long own = ((1ULL << share) - 1) << (os * share);

		(void)snprintf(path, sizeof(path), "sys/devices/system/node/node%u/cpumap", os);
		(void)snprintf(text, sizeof(text), "%llx\n", own | own << cores);
		root_put(dir, path, text);
		(void)snprintf(path, sizeof(path), "sys/devices/system/node/node%u/meminfo", os);
		(void)snprintf(text, sizeof(text), "Node %u MemTotal: 1048576 kB\n", os);
		root_put(dir, path, text);
	}
}
