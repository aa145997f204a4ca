/* SPDX-License-Identifier: Apache-2.0 */
/* Facts that each CPU has for itself, and what /proc/cpuinfo says of all. */
#include "machine/host_table.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/sysroot.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

/* The path with the CPU's number in the place of its '#'; NULL when memory ran out. */
static char *cpu_path(const char *pattern, unsigned os)
{
	const char *const mark = strchr(pattern, '#');
	cleanup_text struct text path = TEXT_INIT;

	text_add_bytes(&path, pattern, mark ? (size_t)(mark - pattern) : strlen(pattern));
	if (mark)
		text_add(&path, "%u%s", os, mark + 1);
	return text_take(&path);
}

/* The file of one CPU. */
static int read_cpu(const struct host_reader *in, const char *pattern, unsigned os, char **ret_path, char **ret_raw)
{
	cleanup_free char *path = cpu_path(pattern, os);
	int r;

	if (!path)
		return -ENOMEM;
	r = sysroot_read(in->root, path, ret_raw);
	*ret_path = TAKE(path);
	return r;
}

/* No CPU has the file: the first one's stands for all. */
static int missing_cpu(const struct host_reader *in, const char *pattern, int code, struct fact *ret_fact)
{
	const int os = hwloc_bitmap_first(in->pus_os);
	cleanup_free char *path = cpu_path(pattern, os < 0 ? 0 : (unsigned)os);

	return path ? host_missing(in, path, code, ret_fact) : -ENOMEM;
}

/* Does the text, of words joined by commas, have this one? */
static bool has_word(const struct text *words, const char *word)
{
	const size_t length = strlen(word);

	for (const char *p = words->data; p && *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
		if (strcspn(p, ",") == length && strncmp(p, word, length) == 0)
			return true;
	}
	return false;
}

/* The different words of our CPUs; their source is the first file with another word than the first CPU's, if any. */
int host_read_cpu_words(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_text struct text words = TEXT_INIT;
	cleanup_free char *source = NULL;
	int failure = -ENOENT;

	for (int os = hwloc_bitmap_first(in->pus_os); os >= 0; os = hwloc_bitmap_next(in->pus_os, os)) {
		cleanup_free char *path = NULL, *raw = NULL;
		int r = read_cpu(in, row->paths[0], (unsigned)os, &path, &raw);

		if (r == -ENOMEM)
			return r;
		if (r < 0) {
			failure = words.length ? failure : r;
			continue;
		}
		if (!*raw || has_word(&words, raw))
			continue;
		text_add(&words, "%s%s", words.length ? "," : "", raw);
		free(source);
		source = TAKE(path);
	}
	if (words.failed)
		return -ENOMEM;
	if (!words.length)
		return missing_cpu(in, row->paths[0], failure, ret_fact);
	return host_known(ret_fact, 0, source, words.data);
}

/* The fact of the CPU whose number is the largest, or smallest. */
static int read_extreme(const struct host_reader *in, const struct host_row *row, size_t place, bool largest,
			struct fact *ret_fact)
{
	const unsigned divide = row->divide[place] ? row->divide[place] : 1;
	int failure = -ENOENT;

	for (int os = hwloc_bitmap_first(in->pus_os); os >= 0; os = hwloc_bitmap_next(in->pus_os, os)) {
		cleanup_free char *path = NULL, *raw = NULL;
		uint64_t value;
		int r = read_cpu(in, row->paths[place], (unsigned)os, &path, &raw);

		if (r == 0 && (parse_u64(raw, &value) < 0 || !value))
			r = host_garbled(ret_fact, path, raw);
		else if (r == 0 && (ret_fact->state != FACT_KNOWN || (value / divide > ret_fact->value) == largest))
			r = host_known(ret_fact, value / divide, path, raw);
		else if (r < 0)
			failure = r;
		if (r == -ENOMEM)
			return r;
		if (r == 0 && ret_fact->state == FACT_UNKNOWN)
			return 0; /* one that is not understood makes the whole worthless */
	}
	return ret_fact->state == FACT_KNOWN ? 0 : missing_cpu(in, row->paths[place], failure, ret_fact);
}

static int read_extreme_of_places(const struct host_reader *in, const struct host_row *row, bool largest,
				  struct fact *ret_fact)
{
	int r = read_extreme(in, row, 0, largest, ret_fact);

	for (size_t place = 1; place < HOST_PATHS && row->paths[place] && r == 0; place++) {
		struct fact other = { .state = FACT_UNKNOWN };

		if (ret_fact->state == FACT_KNOWN)
			break;
		r = read_extreme(in, row, place, largest, &other);
		if (r == 0 && other.state == FACT_KNOWN)
			r = fact_copy(ret_fact, &other);
		fact_clear(&other);
	}
	return r;
}

int host_read_cpu_fastest(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	return read_extreme_of_places(in, row, true, ret_fact);
}

int host_read_cpu_slowest(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	return read_extreme_of_places(in, row, false, ret_fact);
}

/* One CPU only: kernels before 5.18 send each CPU asked an interrupt and wait. */
int host_read_current(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	const int os = hwloc_bitmap_first(in->pus_os);
	cleanup_free char *path = NULL, *raw = NULL, *cpuinfo = NULL;
	uint64_t value;
	int r = read_cpu(in, row->paths[0], os < 0 ? 0 : (unsigned)os, &path, &raw);

	if (r == -ENOMEM)
		return r;
	if (r == 0 && parse_u64(raw, &value) == 0 && value)
		return host_known(ret_fact, value / row->divide[0], path, raw);
	if (r == 0)
		return host_garbled(ret_fact, path, raw);
	cpuinfo = host_cpuinfo_value(in->cpuinfo, row->key);
	if (cpuinfo && parse_milli(cpuinfo, &value) == 0)
		return host_known(ret_fact, (value + 500) / 1000, "/proc/cpuinfo", cpuinfo);
	return host_missing(in, path, r, ret_fact);
}

/* Two drivers, two files, of opposite sense: "no turbo" and "boost". */
int host_read_boost(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	int r = -ENOENT;

	for (size_t i = 0; i < HOST_PATHS; i++) {
		cleanup_free char *raw = NULL;

		r = sysroot_read(in->root, row->paths[i], &raw);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return host_missing(in, row->paths[i], r, ret_fact);
		if (strcmp(raw, "0") != 0 && strcmp(raw, "1") != 0)
			return host_garbled(ret_fact, row->paths[i], raw);
		return host_known(ret_fact, (*raw == '1') != (i == 0), row->paths[i], raw);
	}
	return host_missing(in, row->paths[HOST_PATHS - 1], r, ret_fact);
}

char *host_cpuinfo_value(const char *cpuinfo, const char *key)
{
	const size_t length = strlen(key);

	for (const char *line = cpuinfo; line; line = strchr(line, '\n')) {
		const char *value;

		line += *line == '\n';
		value = line + length;
		if (strncmp(line, key, length) != 0)
			continue;
		value += strspn(value, " \t");
		if (*value != ':')
			continue;
		value++;
		value += strspn(value, " \t");
		return strndup(value, strcspn(value, "\n"));
	}
	return NULL;
}

static const char cpuinfo_path[] = "/proc/cpuinfo";

/* Linux always has the file: its being missing never means that there is nothing to tell. */
static int no_cpuinfo(const struct host_reader *in, struct fact *ret_fact)
{
	return fact_set(ret_fact, FACT_UNKNOWN, 0, cpuinfo_path, strerror(-in->cpuinfo_code));
}

int host_read_cpuinfo_text(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *value = host_cpuinfo_value(in->cpuinfo, row->key);

	if (!in->cpuinfo)
		return no_cpuinfo(in, ret_fact);
	/* The file is whole, root or not: other architectures do not have the line. */
	return value ? host_known(ret_fact, 0, cpuinfo_path, value)
		     : fact_set(ret_fact, FACT_ABSENT, 0, cpuinfo_path, NULL);
}

int host_read_cpuinfo_number(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *value = host_cpuinfo_value(in->cpuinfo, row->key);
	uint64_t number;

	if (!value)
		return host_read_cpuinfo_text(in, row, ret_fact);
	if (parse_u64(value, &number) < 0)
		return host_garbled(ret_fact, cpuinfo_path, value);
	return host_known(ret_fact, number, cpuinfo_path, value);
}

/* The kernel's list of what the CPU can do, under the architecture's name for it. */
static char *cpu_flags(const char *cpuinfo)
{
	static const char *const keys[] = { "flags", "Features", "features" }; /* x86, arm64, s390 */
	char *flags = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !flags; i++)
		flags = host_cpuinfo_value(cpuinfo, keys[i]);
	return flags;
}

/* What oneDNN, OpenBLAS, MKL, ACL and PyTorch choose their kernels by, in the kernel's words. */
static const char *const isa_words[] = {
	/* x86 */
	"sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512dq", "avx512bw", "avx512vl",
	"avx512_vnni", "avx512_bf16", "avx512_fp16", "avx512vbmi", "avx10_1", "avx10_2", "amx_tile", "amx_int8",
	"amx_bf16", "amx_fp16",
	/* arm64 */
	"asimd", "asimdhp", "asimddp", "asimdfhm", "fcma", "i8mm", "bf16", "sve", "sve2", "svei8mm", "svebf16", "sme",
	"sme2",
	/* s390 */
	"vx", "vxe", "vxe2", "nnpa"
};

static bool has_flag(const char *flags, const char *word)
{
	const size_t length = strlen(word);

	for (const char *p = flags; (p = strstr(p, word)); p += length) {
		if ((p == flags || p[-1] == ' ') && (p[length] == ' ' || !p[length]))
			return true;
	}
	return false;
}

int host_read_isa(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *flags = cpu_flags(in->cpuinfo);
	cleanup_text struct text words = TEXT_INIT;

	(void)row;
	if (!in->cpuinfo)
		return no_cpuinfo(in, ret_fact);
	if (!flags)
		return fact_set(ret_fact, FACT_UNKNOWN, 0, cpuinfo_path, "no list of features");
	for (size_t i = 0; i < ARRAY_SIZE(isa_words); i++) {
		if (has_flag(flags, isa_words[i]))
			text_add(&words, "%s%s", words.length ? " " : "", isa_words[i]);
	}
	if (words.failed)
		return -ENOMEM;
	/* Not by host_known(): the list may be long, and is made of our own words. */
	return fact_set(ret_fact, FACT_KNOWN, 0, cpuinfo_path, words.data ? words.data : "");
}

/* x86 processors tell guests by a flag; elsewhere only Xen's own file or QEMU's name in the firmware's tables do. */
int host_read_hypervisor(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	cleanup_free char *flags = cpu_flags(in->cpuinfo), *type = NULL, *vendor = NULL;
	const int type_code = sysroot_read(in->root, row->paths[0], &type);
	const int vendor_code = sysroot_read(in->root, row->paths[1], &vendor);
	const bool x86 = flags && has_flag(flags, "fpu");

	if (type_code == -ENOMEM || vendor_code == -ENOMEM)
		return -ENOMEM;
	if (type && *type)
		return host_known(ret_fact, 0, row->paths[0], type);
	if (x86 && !has_flag(flags, "hypervisor"))
		return fact_set(ret_fact, FACT_ABSENT, 0, cpuinfo_path, NULL);
	if (vendor && *vendor && (x86 || strcmp(vendor, "QEMU") == 0))
		return host_known(ret_fact, 0, row->paths[1], vendor);
	if (x86)
		return host_known(ret_fact, 0, cpuinfo_path, "unnamed");
	if (!in->cpuinfo)
		return no_cpuinfo(in, ret_fact);
	return fact_set(ret_fact, FACT_UNKNOWN, 0, row->paths[1], "nothing here tells a guest from a machine");
}
