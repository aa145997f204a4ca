/* SPDX-License-Identifier: Apache-2.0 */
/* Host facts: whatever stands in every file of a root, each fact is known, absent or unknown, and can be written. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "machine/host_table.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *const more_paths[] = {
	"/proc/cpuinfo",
	"/proc/self/mountinfo",
	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
	"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
	"/sys/devices/system/cpu/possible",
};

static char folder[] = "/tmp/fettle-fuzz-XXXXXX";
static char file[sizeof(folder) + 8];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_folder(void)
{
	(void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* One more name for the one file. */
static void add_name(const char *path)
{
	const char *const mark = strchr(path, '#');
	char full[512];

	(void)snprintf(full, sizeof(full), "%s%.*s%s%s", folder, mark ? (int)(mark - path) : (int)strlen(path), path,
		       mark ? "0" : "", mark ? mark + 1 : "");
	for (char *slash = strchr(full + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		MUST(mkdir(full, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	MUST(link(file, full) == 0 || errno == EEXIST);
}

/* A root in which all files are one, so that an input is written once. */
static void make_root(struct sysroot *root)
{
	struct err err = { .code = 0 };
	int fd;

	MUST(mkdtemp(folder) && atexit(remove_folder) == 0);
	(void)snprintf(file, sizeof(file), "%s/file", folder);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0 && close(fd) == 0);
	for (unsigned i = 0; i < HOST_FACT_COUNT; i++) {
		for (unsigned k = 0; k < HOST_PATHS && host_rows[i].paths[k]; k++) {
			if (i != HOST_HUGETLB) /* a folder */
				add_name(host_rows[i].paths[k]);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(more_paths); i++)
		add_name(more_paths[i]);
	MUST(sysroot_open(root, folder, &err) == 0);
}

static void put(const uint8_t *data, size_t size)
{
	cleanup_close int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sysroot root = SYSROOT_INIT;
	cleanup_bitmap hwloc_bitmap_t pus = hwloc_bitmap_alloc();
	cleanup_host struct host *host = NULL;
	struct err err = { .code = 0 };
	json_t *unknown = json_array(), *object;
	size_t count = 0;

	if (root.fd < 0)
		make_root(&root);
	put(data, size);
	MUST(pus && hwloc_bitmap_set_range(pus, 0, 1) == 0);
	MUST(host_read(&root, pus, 0, &host, &err) == 0 && host);
	for (unsigned i = 0; i < HOST_FACT_COUNT; i++) {
		const struct fact *fact = &host->facts[i];

		MUST(fact->source);
		MUST(fact->state != FACT_UNKNOWN || fact->raw || i == HOST_STEAL_NOW || i == HOST_LOAD_NOW);
		count += fact->state == FACT_UNKNOWN;
	}
	object = host_to_json(host, unknown);
	MUST(object && json_array_size(unknown) == count);
	json_decref(object);
	json_decref(unknown);
	return 0;
}
