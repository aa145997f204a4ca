/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/pools.h"

#include "base/cleanup.h"
#include "observe/observation.h"

#include <string.h>

const char *const pool_names[POOL_COUNT] = {
	[POOL_UNKNOWN] = "unknown",
	[POOL_GOMP] = "libgomp",
	[POOL_KMP] = "libomp/libiomp5",
	[POOL_PYTORCH] = "PyTorch",
	[POOL_ONNXRUNTIME] = "ONNX Runtime",
	[POOL_OPENBLAS] = "OpenBLAS",
	[POOL_TBB] = "TBB",
	[POOL_TENSORFLOW] = "TensorFlow",
	[POOL_RAYON] = "Rayon",
};

/* Names that pools give their threads. */
static const struct {
	const char *begins;
	enum pool pool;
} thread_names[] = {
	{ "pt_", POOL_PYTORCH },          /* c10::setThreadName: pt_autograd_0, pt_main_thread ... */
	{ "CaffeTask", POOL_PYTORCH },    /* PyTorch's inter-op pool, older */
	{ "PTThreadPool", POOL_PYTORCH }, /* the same */
	{ "ORT", POOL_ONNXRUNTIME },      { "tf_", POOL_TENSORFLOW }, /* tf_Compute ..., tsl and Eigen pools of
									 TensorFlow */
	{ "rayon", POOL_RAYON },          { "polars-", POOL_RAYON },  { "TBB", POOL_TBB },
};

/* Libraries whose code threads wait in, and whether theirs have no name of their own. */
static const struct {
	const char *begins; /* of the file's name */
	enum pool pool;
	bool nameless;
} libraries[] = {
	{ "libgomp", POOL_GOMP, true },
	{ "libomp", POOL_KMP, true },
	{ "libiomp5", POOL_KMP, true },
	{ "libopenblas", POOL_OPENBLAS, true },
	{ "libscipy_openblas", POOL_OPENBLAS, true },
	{ "libtbb.", POOL_TBB, true },
	{ "libonnxruntime", POOL_ONNXRUNTIME, true },
	{ "onnxruntime_pybind11_state", POOL_ONNXRUNTIME, true },
};

/* The row for a mapped file, or -1. */
static int library_row(const struct observed_object *object)
{
	const char *const slash = strrchr(object->path, '/');
	const char *const name = slash ? slash + 1 : object->path;

	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		if (strncmp(name, libraries[i].begins, strlen(libraries[i].begins)) == 0)
			return (int)i;
	}
	return -1;
}

static enum pool by_code(const struct observed_process *process, uint64_t pc)
{
	for (size_t i = 0; pc && i < process->object_count; i++) {
		const struct observed_object *object = &process->objects[i];
		const int row = pc >= object->code && pc < object->code_end ? library_row(object) : -1;

		if (row >= 0)
			return libraries[row].pool;
	}
	return POOL_UNKNOWN;
}

static enum pool by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(thread_names); i++) {
		if (strncmp(name, thread_names[i].begins, strlen(thread_names[i].begins)) == 0)
			return thread_names[i].pool;
	}
	return POOL_UNKNOWN;
}

/* The only library here whose threads have no name. A runtime that is mapped and answers for nothing keeps none. */
static enum pool only_nameless(const struct observed_process *process)
{
	enum pool found = POOL_UNKNOWN;

	for (size_t i = 0; i < process->object_count; i++) {
		const int row = library_row(&process->objects[i]);
		const int gomp = process->owners[SYMBOL_GOMP].object_idx;

		if (row < 0 || !libraries[row].nameless)
			continue;
		if (libraries[row].pool == POOL_GOMP && gomp >= 0 && gomp != (int)i)
			continue;
		if (found != POOL_UNKNOWN && found != libraries[row].pool)
			return POOL_UNKNOWN;
		found = libraries[row].pool;
	}
	return found;
}

void pools_tell(struct observed_process *process)
{
	const enum pool nameless = only_nameless(process);

	for (size_t i = 0; i < process->thread_count; i++) {
		struct observed_thread *thread = &process->threads[i];

		thread->pool = by_code(process, thread->pc);
		if (thread->pool != POOL_UNKNOWN || thread->tid == process->pid)
			continue;
		thread->pool = by_name(thread->name);
		if (thread->pool == POOL_UNKNOWN && strcmp(thread->name, process->name) == 0)
			thread->pool = nameless;
	}
}
