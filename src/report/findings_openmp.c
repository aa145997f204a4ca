/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about OpenMP runtimes, and about variables that nobody reads. */
#include "report/finding_rule.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "target/openmp.h"

#include <string.h>

static enum openmp_kind kind_of(const struct observed_object *object)
{
	if (!object->library || object->library->family != LIBRARY_OPENMP)
		return OPENMP_ANY;
	return openmp_kind_of(object->soname, object->path);
}

/*
 * Does the library answer for teams? For those of all code when it comes first; for those of the code it was opened
 * with when no library that was there at the start stands before it.
 */
static bool answers(const struct observed_process *process, size_t object_idx, enum observed_symbol symbol)
{
	const struct observed_owner *owner = &process->owners[symbol];

	if (!process->objects[object_idx].defines[symbol])
		return false;
	if (owner->for_all)
		return owner->known && owner->object_idx == (int)object_idx;
	return true;
}

static bool runs_teams(const struct observed_process *process, size_t object_idx)
{
	return answers(process, object_idx, SYMBOL_GOMP) || answers(process, object_idx, SYMBOL_KMPC);
}

static unsigned pool_threads(const struct observed_process *process, enum pool pool)
{
	unsigned count = 0;

	for (size_t i = 0; i < process->thread_count; i++)
		count += !process->threads[i].gone && process->threads[i].pool == pool;
	return count;
}

/* Both of LLVM's family (KMP) and GNU's; or twice the same, when `copies`. */
static bool several(const struct finding_input *in, bool copies, struct finding_say *say)
{
	const struct observed_process *process = in->main;
	const struct observed_object *gnu = NULL, *kmp = NULL, *twice = NULL;

	for (size_t i = 0; i < process->object_count; i++) {
		const struct observed_object *object = &process->objects[i], **slot;
		const enum openmp_kind kind = kind_of(object);

		if (kind == OPENMP_ANY || !runs_teams(process, i))
			continue;
		slot = openmp_is_kmp(kind) ? &kmp : &gnu;
		if (*slot && ((*slot)->inode != object->inode || strcmp((*slot)->device, object->device) != 0))
			twice = *slot;
		*slot = object;
		if (finding_show_some(say))
			finding_show(say, "/proc/%d/maps: %s", (int)process->pid, object->path);
	}
	finding_show_rest(say, "runtimes");
	if (copies ? !twice : !gnu || !kmp)
		return false;
	if (pool_threads(process, POOL_GOMP))
		finding_show(say, "%u threads wait in libgomp", pool_threads(process, POOL_GOMP));
	if (pool_threads(process, POOL_KMP))
		finding_show(say, "%u threads are of libomp or libiomp5", pool_threads(process, POOL_KMP));
	return true;
}

static bool two_runtimes(const struct finding_input *in, struct finding_say *say)
{
	return several(in, false, say);
}

static bool two_copies(const struct finding_input *in, struct finding_say *say)
{
	return several(in, true, say);
}

static bool not_in_charge(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_process *process = in->main;
	const struct observed_owner *owner = &process->owners[SYMBOL_GOMP];

	for (size_t i = 0; i < process->preload_count; i++) {
		const int idx = process->preloads[i].object_idx;

		if (idx < 0 || kind_of(&process->objects[idx]) == OPENMP_ANY ||
		    !process->objects[idx].defines[SYMBOL_GOMP] || runs_teams(process, (size_t)idx) || !owner->known ||
		    owner->object_idx < 0)
			continue;
		text_add(&say->detail, "%s is preloaded, but %s runs the teams", process->preloads[i].name,
			 process->objects[owner->object_idx].path);
		finding_show(say, "/proc/%d/environ: LD_PRELOAD names %s", (int)process->pid,
			     process->preloads[i].name);
		finding_show(say, "link map of process %d: the first that has GOMP_parallel is %s", (int)process->pid,
			     process->objects[owner->object_idx].path);
		return true;
	}
	return false;
}

/* The first number of "4" or "4,2"; 0: none. */
static unsigned first_number(const char *text)
{
	char digits[12] = "";
	const size_t length = text ? strspn(text, "0123456789") : 0;
	unsigned number = 0;

	if (length && length < sizeof(digits)) {
		memcpy(digits, text, length);
		(void)parse_unsigned(digits, &number);
	}
	return number;
}

static bool limit(const struct finding_input *in, struct finding_say *say)
{
	const char *most = finding_variable(in, "OMP_THREAD_LIMIT"), *asked = finding_variable(in, "OMP_NUM_THREADS");
	const unsigned limit = first_number(most), threads = first_number(asked);
	bool openmp = false;

	for (size_t i = 0; i < in->main->object_count; i++)
		openmp |= kind_of(&in->main->objects[i]) != OPENMP_ANY;
	if (!openmp || !limit || limit >= threads)
		return false;
	text_add(&say->detail, "OMP_THREAD_LIMIT=%u allows fewer threads than OMP_NUM_THREADS=%u asks for", limit,
		 threads);
	finding_show(say, "/proc/%d/environ: OMP_THREAD_LIMIT=%s, OMP_NUM_THREADS=%s", (int)in->main->pid, most, asked);
	return true;
}

/* Who reads a variable, and who is there in their place. */
enum reader { READ_BY_KMP, READ_BY_GOMP, READ_BY_JEMALLOC, READ_BY_TCMALLOC, READ_BY_MIMALLOC, READ_BY_GLIBC };

struct readers {
	const char *name; /* whole, or with a '*' its beginning */
	enum reader reader;
	const char *holds; /* only where the value has this; NULL: always */
};

/*
 * GOMP_CPU_AFFINITY and GOMP_STACKSIZE are not in here: LLVM's and Intel's runtimes read them, too. What a library may
 * have been built with and shows nobody (MKL and OpenBLAS in wheels) cannot be told, and is left out.
 */
static const struct readers variables[] = {
	{ "KMP_*", READ_BY_KMP, NULL },
	{ "GOMP_SPINCOUNT", READ_BY_GOMP, NULL },
	{ "MALLOC_CONF", READ_BY_JEMALLOC, NULL },
	{ "TCMALLOC_*", READ_BY_TCMALLOC, NULL },
	{ "MIMALLOC_*", READ_BY_MIMALLOC, NULL },
	{ "MALLOC_ARENA_MAX", READ_BY_GLIBC, NULL },
	{ "MALLOC_TRIM_THRESHOLD_", READ_BY_GLIBC, NULL },
	{ "MALLOC_MMAP_THRESHOLD_", READ_BY_GLIBC, NULL },
	{ "GLIBC_TUNABLES", READ_BY_GLIBC, "glibc.malloc." },
};

static const struct observed_object *owner_of(const struct observed_process *process, enum observed_symbol symbol)
{
	const struct observed_owner *owner = &process->owners[symbol];

	return owner->known && owner->object_idx >= 0 ? &process->objects[owner->object_idx] : NULL;
}

/* Is a library of this name mapped, or its code linked into some file (its `symbol` tells)? */
static bool mapped(const struct observed_process *process, const char *begins, enum observed_symbol symbol)
{
	for (size_t i = 0; i < process->object_count; i++) {
		const struct observed_object *object = &process->objects[i];

		if ((object->library && strncmp(object->library->name, begins, strlen(begins)) == 0) ||
		    (symbol != SYMBOL_COUNT && object->defines[symbol]))
			return true;
	}
	return false;
}

/* Who does it instead; NULL: the reader is there, or may be. */
static const struct observed_object *instead(const struct observed_process *process, enum reader reader)
{
	static const char *const allocators[] = {
		[READ_BY_JEMALLOC] = "jemalloc", [READ_BY_TCMALLOC] = "tcmalloc", [READ_BY_MIMALLOC] = "mimalloc"
	};
	const struct observed_object *malloc_owner = owner_of(process, SYMBOL_MALLOC);
	const struct observed_object *gomp = owner_of(process, SYMBOL_GOMP);
	const bool kmp = mapped(process, "libomp", SYMBOL_KMPC) || mapped(process, "libiomp5", SYMBOL_KMPC);
	const bool is_libc = malloc_owner && malloc_owner->soname && strncmp(malloc_owner->soname, "libc.", 5) == 0;

	switch (reader) {
	case READ_BY_KMP:
		return !kmp && gomp && kind_of(gomp) == OPENMP_GNU ? gomp : NULL;
	case READ_BY_GOMP:
		return gomp && openmp_is_kmp(kind_of(gomp)) && process->owners[SYMBOL_GOMP].for_all ? gomp : NULL;
	case READ_BY_GLIBC:
		return malloc_owner && malloc_owner->library && malloc_owner->library->family == LIBRARY_ALLOCATOR
			       ? malloc_owner
			       : NULL;
	default:
		/* A program may have the allocator in itself, under names of its own: then its malloc is not libc's. */
		return malloc_owner &&
				       (is_libc || (malloc_owner->library &&
						    malloc_owner->library->family == LIBRARY_ALLOCATOR)) &&
				       !mapped(process, allocators[reader],
					       reader == READ_BY_JEMALLOC ? SYMBOL_MALLCTL : SYMBOL_COUNT)
			       ? malloc_owner
			       : NULL;
	}
}

static const struct readers *readers_of(const char *word)
{
	const size_t length = strcspn(word, "=");

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		const size_t n = strcspn(variables[i].name, "*");
		const bool same = variables[i].name[n] ? length > n : length == n;

		if (same && strncmp(word, variables[i].name, n) == 0 &&
		    (!variables[i].holds || strstr(word + length, variables[i].holds)))
			return &variables[i];
	}
	return NULL;
}

static bool ineffective(const struct finding_input *in, struct finding_say *say)
{
	unsigned count = 0;

	for (char *const *word = in->main->environment; *word; word++) {
		const struct readers *row = readers_of(*word);
		const struct observed_object *other = row ? instead(in->main, row->reader) : NULL;
		const int length = (int)strcspn(*word, "=");

		if (!other)
			continue;
		text_add(&say->detail, "%s%.*s", count ? ", " : "", length, *word);
		text_add(&say->remedy, "%s--unset %.*s", count ? " " : "", length, *word);
		if (finding_show_some(say)) {
			finding_show(say, "/proc/%d/environ: %s", (int)in->main->pid, *word);
			finding_show(say, "/proc/%d/maps: %s does this here", (int)in->main->pid, other->path);
		}
		count++;
	}
	finding_show_rest(say, "variables");
	return count > 0;
}

static const struct finding_rule rules[] = {
	{ .id = "openmp-two-runtimes",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_OBJECTS,
	  .test = two_runtimes,
	  .text = "two OpenMP runtimes run teams in one process, each with threads for all CPUs",
	  .remedy = "fettle run --openmp llvm -- ...   (one that answers for both is preloaded)" },
	{ .id = "openmp-two-copies",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_OBJECTS,
	  .test = two_copies,
	  .text = "one OpenMP runtime is loaded twice, each copy with threads for all CPUs",
	  .remedy = "fettle run --openmp gnu -- ...   (one that comes first for all code)" },
	{ .id = "openmp-not-in-charge",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_OBJECTS | NEEDS_ENVIRONMENT,
	  .test = not_in_charge,
	  .text = "{}",
	  .remedy = "fettle run --openmp auto -- ...   (configures the runtime the program has)" },
	{ .id = "openmp-limit",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_OBJECTS | NEEDS_ENVIRONMENT,
	  .test = limit,
	  .text = "{}",
	  .remedy = "fettle run --repair -- ..." },
	{ .id = "setting-ineffective",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_OBJECTS | NEEDS_ENVIRONMENT,
	  .test = ineffective,
	  .text = "nothing in this process reads {}",
	  .remedy = "fettle run {} -- ..." },
};

const struct finding_rules finding_openmp_rules = { rules, ARRAY_SIZE(rules) };
