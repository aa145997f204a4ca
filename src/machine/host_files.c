/* SPDX-License-Identifier: Apache-2.0 */
/* Facts that stand in one file, or in one folder. */
#include "machine/host_table.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/cgroup_path.h"
#include "machine/mounts.h"

#include <string.h>
#include <sys/stat.h>

enum { RAW_MAX = 200 };

static bool device_of(const struct sysroot *root, const char *path, dev_t *ret_device)
{
	cleanup_close int fd = sysroot_open_file(root, path);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*ret_device = st.st_dev;
	return true;
}

/* Is the last folder of the path that is there another file system than /sys or /proc, mounted over a part of it? */
static bool covered(const struct sysroot *root, const char *path)
{
	cleanup_free char *top = strndup(path, 1 + strcspn(path + 1, "/")), *folder = strdup(path);
	dev_t expected, found;
	char *slash;

	if (!root->live || !top || !folder || !device_of(root, top, &expected))
		return false;
	while ((slash = strrchr(folder, '/')) && slash > folder) {
		*slash = '\0';
		if (device_of(root, folder, &found))
			return found != expected;
	}
	return false;
}

int host_missing(const struct host_reader *in, const char *path, int code, struct fact *ret_fact)
{
	const bool whole = strncmp(path, "/sys/", 5) == 0 ? in->sys_whole : in->proc_whole;

	if (code == -ENOMEM)
		return code;
	if (code == -ENOENT && whole && covered(in->root, path))
		return fact_set(ret_fact, FACT_UNKNOWN, 0, path, "not there: something is mounted over it");
	if (code == -ENOENT && whole)
		return fact_set(ret_fact, FACT_ABSENT, 0, path, NULL);
	return fact_set(ret_fact, FACT_UNKNOWN, 0, path, code == -ENOENT ? "not there" : strerror(-code));
}

/* A capture's text may hold anything: terminal commands, bytes that are no UTF-8, a megabyte. */
static int set_text(struct fact *fact, enum fact_state state, uint64_t value, const char *path, const char *raw)
{
	char shown[RAW_MAX + 1];
	size_t n = 0;

	for (; n < RAW_MAX && raw[n]; n++) {
		shown[n] = raw[n];
		if (raw[n] < ' ' || raw[n] > '~')
			shown[n] = '?';
	}
	shown[n] = '\0';
	return fact_set(fact, state, value, path, shown);
}

int host_known(struct fact *fact, uint64_t value, const char *path, const char *raw)
{
	return set_text(fact, FACT_KNOWN, value, path, raw);
}

int host_garbled(struct fact *fact, const char *path, const char *raw)
{
	return set_text(fact, FACT_UNKNOWN, 0, path, raw);
}

int host_read_text(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *raw = NULL;
	int r = sysroot_read(in->root, row->paths[0], &raw);

	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	return host_known(ret_fact, 0, row->paths[0], raw);
}

int host_read_signed(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *raw = NULL;
	int r = sysroot_read(in->root, row->paths[0], &raw), value;

	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	if (parse_int(raw, &value) < 0)
		return host_garbled(ret_fact, row->paths[0], raw);
	return host_known(ret_fact, (uint64_t)value, row->paths[0], raw);
}

int host_read_number(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *raw = NULL;
	uint64_t value;
	int r = sysroot_read(in->root, row->paths[0], &raw);

	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	if (parse_u64(raw, &value) < 0)
		return host_garbled(ret_fact, row->paths[0], raw);
	return host_known(ret_fact, value, row->paths[0], raw);
}

/* "always [madvise] never" */
int host_read_chosen(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *raw = NULL;
	int r = sysroot_read(in->root, row->paths[0], &raw);
	char *word, *end;

	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	word = strchr(raw, '[');
	end = word ? strchr(word, ']') : NULL;
	if (!end || end == word + 1)
		return host_garbled(ret_fact, row->paths[0], raw);
	*end = '\0';
	return host_known(ret_fact, 0, row->paths[0], word + 1);
}

/* A CPU list; kernels without the boot option write "(null)" for none. */
int host_read_list(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *raw = NULL;
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	struct err ignored = { 0 };
	int r = sysroot_read(in->root, row->paths[0], &raw);

	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	if (strstr(raw, "(null)"))
		*raw = '\0';
	r = cpulist_parse(raw, &set, &ignored);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return host_garbled(ret_fact, row->paths[0], raw);
	/* Not by host_known(): a long list must stay whole. */
	return fact_set(ret_fact, FACT_KNOWN, (uint64_t)hwloc_bitmap_weight(set), row->paths[0], raw);
}

/* "Key:   1234 kB" */
static bool meminfo_bytes(const char *text, const char *key, uint64_t *ret_bytes)
{
	const size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char digits[24];
		size_t n;

		line += *line == '\n';
		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		line += length + 1;
		line += strspn(line, " ");
		n = strspn(line, "0123456789");
		if (n >= sizeof(digits))
			return false;
		memcpy(digits, line, n);
		digits[n] = '\0';
		return parse_u64(digits, ret_bytes) == 0 && !__builtin_mul_overflow(*ret_bytes, 1024, ret_bytes);
	}
	return false;
}

/* Bytes, with the file's own unit as evidence. */
static int set_kib(struct fact *fact, uint64_t bytes, const char *path)
{
	char raw[32];

	(void)snprintf(raw, sizeof(raw), "%llu kB", (unsigned long long)(bytes / 1024));
	return fact_set(fact, FACT_KNOWN, bytes, path, raw);
}

int host_read_meminfo(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *text = NULL;
	uint64_t bytes;
	int r = sysroot_read(in->root, row->paths[0], &text);

	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	if (!meminfo_bytes(text, row->key, &bytes)) /* kernels without swap write the line too */
		return host_garbled(ret_fact, row->paths[0], "no line that we understand");
	return set_kib(ret_fact, bytes, row->paths[0]);
}

int host_read_swap_used(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *text = NULL;
	uint64_t total, left;
	int r = sysroot_read(in->root, row->paths[0], &text);

	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	if (!meminfo_bytes(text, "SwapTotal", &total) || !meminfo_bytes(text, "SwapFree", &left) || left > total)
		return host_garbled(ret_fact, row->paths[0], "no lines that we understand");
	return set_kib(ret_fact, total - left, row->paths[0]);
}

/* tmpfs says "size=65536k" among its options, and nothing when it may take half of the memory (tmpfs(5)). */
static bool tmpfs_bytes(const struct host_reader *in, const char *options, uint64_t *ret_bytes)
{
	static const char key[] = "size=";
	cleanup_free char *size = NULL, *meminfo = NULL;

	for (const char *word = options; *word; word += strcspn(word, ","), word += *word == ',') {
		if (strncmp(word, key, strlen(key)) != 0)
			continue;
		size = strndup(word + strlen(key), strcspn(word, ",") - strlen(key));
		return size && parse_bytes(size, ret_bytes) == 0;
	}
	if (sysroot_read(in->root, "/proc/meminfo", &meminfo) < 0 || !meminfo_bytes(meminfo, "MemTotal", ret_bytes))
		return false;
	*ret_bytes /= 2;
	return true;
}

/* The last mount of a point hides those before it; NULL: none is there. */
static const struct mount *top_mount(const struct mounts *mounts, const char *point)
{
	const struct mount *top = NULL;

	for (size_t i = 0; i < mounts->count; i++) {
		if (strcmp(mounts->items[i].point, point) == 0)
			top = &mounts->items[i];
	}
	return top;
}

int host_read_shared_memory(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	static const char point[] = "/dev/shm";
	cleanup_mounts struct mounts mounts = { NULL };
	cleanup_text struct text why = TEXT_INIT;
	const struct mount *mount;
	uint64_t bytes = 0;
	int r = mounts_read(in->root, &mounts);

	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	mount = top_mount(&mounts, point);
	if (!mount || strcmp(mount->type, "tmpfs") != 0) {
		text_add(&why, "%s on %s", mount ? mount->type : "nothing mounted", point);
		if (why.failed)
			return -ENOMEM;
		return set_text(ret_fact, in->proc_whole ? FACT_ABSENT : FACT_UNKNOWN, 0, row->paths[0], why.data);
	}
	if (!tmpfs_bytes(in, mount->options, &bytes))
		return host_garbled(ret_fact, row->paths[0], mount->options);
	return host_known(ret_fact, bytes, row->paths[0], mount->options);
}

/* "some avg10=31.92 avg60=8.02 avg300=2.62 total=14379041": two decimals always. */
int host_read_pressure(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	static const char start[] = "some avg10=";
	cleanup_free char *raw = NULL;
	int r = sysroot_read(in->root, row->paths[0], &raw);
	uint64_t whole, hundredths;
	char *number, *point;

	/* EOPNOTSUPP: the kernel can, and was not asked to (psi=1) */
	if (r == -EOPNOTSUPP)
		return fact_set(ret_fact, FACT_ABSENT, 0, row->paths[0], NULL);
	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	raw[strcspn(raw, "\n")] = '\0';
	number = strncmp(raw, start, strlen(start)) == 0 ? strdup(raw + strlen(start)) : NULL;
	if (!number)
		return host_garbled(ret_fact, row->paths[0], raw);
	number[strcspn(number, " ")] = '\0';
	point = strchr(number, '.');
	if (point)
		*point++ = '\0';
	r = point && strlen(point) == 2 && parse_u64(number, &whole) == 0 && whole <= 100 &&
			    parse_u64(point, &hundredths) == 0
		    ? host_known(ret_fact, whole * 1000 + hundredths * 10, row->paths[0], raw)
		    : host_garbled(ret_fact, row->paths[0], raw);
	free(number);
	return r;
}

static int compare_pools(const void *a, const void *b)
{
	const struct host_pool *x = a, *y = b;

	return x->page_bytes < y->page_bytes ? -1 : x->page_bytes > y->page_bytes;
}

static bool pool_number(const struct sysroot *root, const char *dir, const char *name, const char *file,
			uint64_t *ret_value)
{
	cleanup_text struct text path = TEXT_INIT;
	cleanup_free char *raw = NULL;

	text_add(&path, "%s/%s/%s", dir, name, file);
	return !path.failed && sysroot_read(root, path.data, &raw) == 0 && parse_u64(raw, ret_value) == 0;
}

/* Take the pool of a folder "hugepages-2048kB"; another name is none. */
static int take_pool(const struct host_reader *in, const char *dir, const char *name, size_t *capacity)
{
	static const char start[] = "hugepages-";
	struct host_pool pool = { 0 }, *grown;
	cleanup_free char *digits = NULL;
	size_t n;

	if (strncmp(name, start, strlen(start)) != 0)
		return 0;
	n = strspn(name + strlen(start), "0123456789");
	digits = strndup(name + strlen(start), n);
	if (!digits)
		return -ENOMEM;
	if (strcmp(name + strlen(start) + n, "kB") != 0 || parse_u64(digits, &pool.page_bytes) < 0 ||
	    pool.page_bytes > UINT64_MAX / 1024 || !pool_number(in->root, dir, name, "nr_hugepages", &pool.pages) ||
	    !pool_number(in->root, dir, name, "free_hugepages", &pool.free_pages))
		return 0;
	pool.page_bytes *= 1024;
	grown = array_grow(*in->pools, capacity, *in->pool_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*in->pools = grown;
	grown[(*in->pool_count)++] = pool;
	return 0;
}

int host_read_pools(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	int fd = sysroot_open_file(in->root, row->paths[0]);
	cleanup_dir DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	size_t capacity = 0;
	uint64_t bytes = 0;
	int r = fd < 0 ? fd : 0;

	if (!stream) {
		if (fd >= 0)
			(void)close(fd);
		return host_missing(in, row->paths[0], fd < 0 ? r : -ENOTDIR, ret_fact);
	}
	while (r == 0 && (entry = readdir(stream)))
		r = take_pool(in, row->paths[0], entry->d_name, &capacity);
	if (r < 0)
		return r;
	if (*in->pool_count)
		qsort(*in->pools, *in->pool_count, sizeof(**in->pools), compare_pools);
	for (size_t i = 0; i < *in->pool_count; i++) {
		uint64_t size;

		/* Numbers nobody has: a made-up capture. */
		if (__builtin_mul_overflow((*in->pools)[i].page_bytes, (*in->pools)[i].pages, &size) ||
		    __builtin_add_overflow(bytes, size, &bytes))
			return host_garbled(ret_fact, row->paths[0], "more than there can be");
	}
	return fact_set(ret_fact, FACT_KNOWN, bytes, row->paths[0], NULL);
}

/* What kind of cpuset we are in: v2 says it in a word, v1 by whether its CPUs are ours alone. */
int host_read_partition(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_mounts struct mounts mounts = { NULL };
	cleanup_free char *memberships = NULL, *raw = NULL;
	cleanup_text struct text file = TEXT_INIT;
	struct cgroup_path path = { NULL };
	int r = sysroot_read(in->root, row->paths[0], &memberships);

	if (r == 0)
		r = mounts_read(in->root, &mounts);
	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	r = cgroup_path_find(in->root, &mounts, memberships, "cpuset", in->root->live ? getpid() : 0, &path);
	if (r == -ENOENT)
		return fact_set(ret_fact, FACT_ABSENT, 0, row->paths[0], NULL);
	if (r < 0)
		return host_missing(in, row->paths[0], r, ret_fact);
	text_add(&file, "%s/%s", path.dir, path.unified ? "cpuset.cpus.partition" : "cpuset.cpu_exclusive");
	free(path.dir);
	if (file.failed)
		return -ENOMEM;
	r = sysroot_read(in->root, file.data, &raw);
	if (r == -ENOENT) /* the root group has none, nor has a group without the controller */
		return fact_set(ret_fact, FACT_ABSENT, 0, file.data, NULL);
	if (r < 0)
		return host_missing(in, file.data, r, ret_fact);
	if (!path.unified)
		return host_known(ret_fact, 0, file.data, strcmp(raw, "0") == 0 ? "shared" : "exclusive");
	return host_known(ret_fact, 0, file.data, raw);
}
