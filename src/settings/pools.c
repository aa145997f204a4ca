/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries with thread pools of their own. Left alone each sizes its pool by the whole machine; told
 * the same number as OpenMP, none multiplies another.
 *
 * Without a row, because nothing is read from outside: PyTorch's inter-op pool (torch.set_num_interop_threads() alone),
 * ONNX Runtime (its session options), oneTBB (it goes by the mask), DuckDB (SET threads; it does not even go by the
 * mask). Arrow's pool for computing is as large as OMP_NUM_THREADS; that for files is not for the CPU.
 */
#include "base/cleanup.h"
#include "settings/rule.h"

/* Where a pool gains nothing, or children are forked from a process that has one. */
static bool no_pool(const struct settings_input *in, const struct plan_instance *instance)
{
	return workload_threads_each(in->workload, instance->threads) == 1 ||
	       in->workload->request.purpose == PURPOSE_TRAINING;
}

static void no_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	(void)instance;
	text_add(value, "false");
}

static const struct setting_rule rules[] = {
	{ .name = "MKL_NUM_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "oneMKL's own count, which it prefers to OMP_NUM_THREADS (oneMKL developer guide, Environment "
		 "Variables "
		 "for OpenMP Threading Control)" },
	{ .name = "OPENBLAS_NUM_THREADS",
	  .older = { "GOTO_NUM_THREADS" },
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "OpenBLAS builds with POSIX threads have a pool of their own (OpenBLAS manual, Runtime variables)" },
	{ .name = "BLIS_NUM_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "BLIS's own count, which it prefers to OMP_NUM_THREADS (BLIS, docs/Multithreading.md)" },
	{ .name = "NUMEXPR_MAX_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "size of NumExpr's pool; it complains of more than 64 threads unless this is raised (NumExpr user "
		 "guide, "
		 "Threadpool Configuration; seen with 2.14)" },
	{ .name = "NUMEXPR_NUM_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "threads NumExpr starts with (NumExpr user guide, Threadpool Configuration)" },
	{ .name = "VECLIB_MAXIMUM_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "limit of Apple's Accelerate, which on Linux only portable programs read" },
	{ .name = "RAYON_NUM_THREADS",
	  .older = { "RAYON_RS_NUM_CPUS" },
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "Rust's Rayon, the pool of Hugging Face's tokenizers (Rayon, ThreadPoolBuilder::num_threads; seen "
		 "with "
		 "tokenizers 0.23)" },
	{ .name = "TOKENIZERS_PARALLELISM",
	  .applies = no_pool,
	  .value = no_value,
	  .why = "with one thread tokenizers' pool gains nothing; under --for training data loaders are forked, and "
		 "where "
		 "the pool was used before, older versions warn in each (Hugging Face tokenizers, "
		 "TOKENIZERS_PARALLELISM)" },
	{ .name = "NUMBA_NUM_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "size of Numba's pool (Numba manual, Environment variables, Threading Control)",
	  .risk = "numba.set_num_threads() with more than this is an error" },
	{ .name = "POLARS_MAX_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "size of Polars' pool (Polars user guide, thread_pool_size; seen with 2.1)" },
	{ .name = "TF_NUM_INTRAOP_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "threads TensorFlow shares one operation among (tf.config.threading; seen with 2.21)" },
	{ .name = "TF_NUM_INTEROP_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "operations TensorFlow runs side by side (tf.config.threading; seen with 2.21)" },
	{ .name = "PJRT_NPROC",
	  .older = { "NPROC" },
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "XLA's pool on CPUs, which is JAX's: by itself it goes by the mask and not by the quota (XLA, "
		 "DefaultThreadPoolSize(); seen with JAX 0.10)" },
	{ .name = "OPENCV_FOR_THREADS_NUM",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "size of OpenCV's pool, which data loaders use too; by itself it goes by the mask and not by the "
		 "quota "
		 "(OpenCV, cv::setNumThreads(); seen with 5.0)" },
	{ .name = "GOMAXPROCS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "threads that run Go code at the same time; before 1.25 it goes by the mask and not by the quota (Go, "
		 "package runtime; seen with 1.19)" },
};

const struct setting_family family_pools = {
	.name = "pools",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};
