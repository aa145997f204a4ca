/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/workload.h"

#include "base/environ.h"
#include "base/parse.h"
#include "base/record.h"

#include <limits.h>
#include <string.h>

const char *const row_words[] = { "none", "core", "cpu" };
const char *const strategy_words[STRATEGY_COUNT] = { "scatter", "close" };
const char *const per_words[PER_COUNT] = { "node", "package", "l3", "core" };
const char *const pin_words[PIN_COUNT] = { "auto", "threads", "instance", "none" };
const char *const memory_policy_words[MEMORY_POLICY_COUNT] = { "auto", "none",      "local",
							       "bind", "preferred", "interleave" };
const char *const allocator_words[ALLOCATOR_COUNT] = {
	"auto", "glibc", "tuned-glibc", "jemalloc", "jemalloc-aggressive", "tcmalloc", "mimalloc"
};
const char *const max_isa_words[MAX_ISA_COUNT] = { "default",
						   "sse41",
						   "avx",
						   "avx2",
						   "avx2_vnni",
						   "avx2_vnni_2",
						   "avx512_core",
						   "avx512_core_vnni",
						   "avx512_core_bf16",
						   "avx512_core_fp16",
						   "avx512_core_amx",
						   "avx512_core_amx_fp16",
						   "avx10_2_512",
						   "avx10_2_512_amx_2" };
const char *const fpmath_words[FPMATH_COUNT] = { "default", "strict", "bf16", "f16", "tf32", "any" };
const char *const huge_pages_words[HUGE_PAGES_COUNT] = { "none", "madvise" };
const char *const precision_words[PRECISION_COUNT] = { "default", "f32", "bf16", "tf32-like" };
const char *const choice_words[CHOICE_COUNT] = { "auto", "on", "off" };
const char *const wait_words[WAIT_COUNT] = { "auto", "passive", "active" };
const char *const schedule_words[SCHEDULE_COUNT] = { "auto", "static" };

bool memory_policy_takes_nodes(enum memory_policy policy)
{
	return policy == MEMORY_BIND || policy == MEMORY_PREFERRED || policy == MEMORY_INTERLEAVE;
}
const char *const purpose_words[PURPOSE_COUNT] = { "any", "inference", "training", "benchmark" };

const char *workload_getenv(const struct workload *workload, const char *name)
{
	return environ_value(workload->environment, name);
}

/* Does the comma-separated list hold the name? */
static bool list_names(const char *list, size_t list_length, const char *name)
{
	const char *end = list + list_length;
	const size_t name_length = strlen(name);

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		const size_t length = (size_t)((comma ? comma : end) - list);

		if (length == name_length && memcmp(list, name, length) == 0)
			return true;
		list += length + 1;
	}
	return false;
}

const char *workload_user_value(const struct workload *workload, const char *name)
{
	size_t length = 0;
	const char *ours = record_field(workload_getenv(workload, RECORD_VARIABLE), "set=", &length);

	if ((ours && list_names(ours, length, name)) || (workload->not_users && strcmp(workload->not_users, name) == 0))
		return NULL;
	return workload_getenv(workload, name);
}

bool workload_has_torch(const struct workload *workload)
{
	return workload->framework && strcmp(workload->framework, "torch") == 0;
}

bool workload_may_have_torch(const struct workload *workload)
{
	return workload_has_torch(workload) || workload->starter;
}

unsigned workload_processes(const struct workload *workload, unsigned threads)
{
	if (workload->workers == UINT_MAX)
		return threads;
	return workload->workers > 1 ? workload->workers : 1;
}

unsigned workload_threads_each(const struct workload *workload, unsigned threads)
{
	const unsigned processes = workload_processes(workload, threads);

	if (workload->ranks_by)
		return 0;
	return threads > processes ? threads / processes : 1;
}

unsigned workload_user_threads(const struct workload *workload)
{
	const char *value = workload_user_value(workload, "OMP_NUM_THREADS");
	char first[16] = "";
	unsigned threads = 0;
	size_t length;

	if (!value)
		return 0;
	value += strspn(value, " \t");
	length = strcspn(value, ", \t");
	if (length >= sizeof(first))
		return 0;
	memcpy(first, value, length);
	return parse_unsigned(first, &threads) < 0 ? 0 : threads;
}

unsigned workload_user_threads_all(const struct workload *workload)
{
	const unsigned user = workload_user_threads(workload), workers = workload->workers > 1 ? workload->workers : 1;

	return user <= UINT_MAX / workers && workers < UINT_MAX ? user * workers : 0;
}
