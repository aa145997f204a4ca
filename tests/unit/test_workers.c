/* SPDX-License-Identifier: Apache-2.0 */
/* How many processes a program starts, by its words. */
#include "joint/workers.h"

#include "base/cleanup.h"
#include "plan/workload.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_words_say_how_many(void **state)
{
	static const struct {
		const char *words[10];
		unsigned expected;
	} cases[] = {
		{ { "torchrun", "--nproc-per-node", "4", "x.py" }, 4 },
		{ { "/opt/env/bin/torchrun", "--standalone", "--nproc_per_node=3", "x.py" }, 3 },
		{ { "torchrun", "--nnodes", "2", "--nproc-per-node=auto", "x.py" }, UINT_MAX },
		{ { "torchrun", "--nproc-per-node", "cpu", "x.py" }, UINT_MAX },
		{ { "torchrun", "--nproc-per-node", "many", "x.py" }, 1 },
		{ { "torchrun", "--nproc-per-node", "0", "x.py" }, 1 },
		{ { "torchrun", "--nproc-per-node" }, 1 },
		{ { "torchrun", "--nproc-per-node-of-mine", "4", "x.py" }, 1 },
		{ { "torchrun", "x.py" }, 1 },
		{ { "torchrun", "x.py", "--nproc-per-node", "4" }, 1 },
		{ { "torchrun", "--rdzv-backend", "c10d", "--no-python", "--nproc-per-node=2", "x" }, 2 },
		{ { "torchrun", "-m", "--nproc-per-node", "2", "mine" }, 2 },
		{ { "torchrun", "--nnodes" }, 1 },
		{ { "python3", "-X", "dev", "-m", "torch.distributed.run", "--nproc-per-node", "2", "x.py" }, 2 },
		{ { "python3", "-X" }, 1 },
		{ { "python3", "-um", "torch.distributed.run", "--nproc-per-node", "2", "x.py" }, 2 },
		{ { "python3", "-mtorch.distributed.run", "--nproc-per-node", "2", "x.py" }, 2 },
		{ { "python3", "-c", "torchrun", "--nproc-per-node", "2" }, 1 },
		{ { "python3", "-", "torchrun", "--nproc-per-node", "2" }, 1 },
		{ { "python3" }, 1 },
		{ { "python3", "/opt/env/bin/torchrun", "--nproc-per-node", "2", "x.py" }, 2 },
		{ { "python3", "-u", "-m", "torch.distributed.run", "--nproc-per-node", "2", "x.py" }, 2 },
		{ { "/usr/bin/python3.11", "-m", "torch.distributed.launch", "--nproc_per_node", "2", "x.py" }, 2 },
		{ { "python3", "-m", "mine", "--nproc-per-node", "2" }, 1 },
		{ { "python3", "-m" }, 1 },
		{ { "python3", "x.py", "-m", "torch.distributed.run", "--nproc-per-node", "2" }, 1 },
		{ { "torchrun", "--nproc-per-node", "4", "--nproc-per-node", "2", "x.py" }, 2 },
		{ { "timeout", "60", "torchrun", "--nproc-per-node", "2", "x.py" }, 2 },
		{ { "env", "A=1", "/usr/bin/python3", "-m", "torch.distributed.run", "--nproc-per-node", "2", "x.py" },
		  2 },
		{ { "nice", "python3", "x.py", "torchrun", "--nproc-per-node", "2" }, 1 },
		{ { "/bin/bash", "-c", "x", "torchrun", "--nproc-per-node", "2" }, 1 },
		{ { "mine", "--nproc-per-node", "2" }, 1 },
		{ { "gunicorn", "-b", ":80", "app:app", "-w", "4" }, 4 },
		{ { "/v/bin/gunicorn", "-w4", "app:app" }, 4 },
		{ { "gunicorn", "--workers=4", "--workers", "3", "app:app" }, 3 },
		{ { "gunicorn", "--workers-of-mine", "4", "app:app" }, 1 },
		{ { "gunicorn", "-wx", "app:app" }, 1 },
		{ { "gunicorn", "app:app", "-w" }, 1 },
		{ { "uvicorn", "app:app", "--workers", "4" }, 4 },
		{ { "uvicorn", "-w", "4", "app:app" }, 1 },
		{ { "fastapi", "run", "x.py", "--workers=2" }, 2 },
		{ { "hypercorn", "-w", "2", "app:app" }, 2 },
		{ { "timeout", "60", "granian", "app:app", "--workers", "2" }, 2 },
		{ { "python3", "-m", "gunicorn", "app:app", "-w", "2" }, 2 },
		{ { "python3", "-m", "mine", "-w", "2" }, 1 },
		{ { NULL }, 1 },
	};

	const struct workload workload = { .environment = NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned count = 0;

		assert_int_equal(workers_of((char *const *)cases[i].words, &workload, &count), 0);
		assert_int_equal(count, cases[i].expected);
	}
}

static void variables_count_where_the_words_say_nothing(void **state)
{
	static const struct {
		const char *entries[3], *words[5];
		unsigned expected;
	} cases[] = {
		{ { "PET_NPROC_PER_NODE=3" }, { "torchrun", "--standalone", "x.py" }, 3 },
		{ { "PET_NPROC_PER_NODE=auto" }, { "torchrun", "x.py" }, UINT_MAX },
		{ { "PET_NPROC_PER_NODE=3" }, { "torchrun", "--nproc-per-node=2", "x.py" }, 2 },
		{ { "PET_NPROC_PER_NODE=3" }, { "gunicorn", "app:app" }, 1 },
		{ { "WEB_CONCURRENCY=4" }, { "gunicorn", "app:app" }, 4 },
		{ { "WEB_CONCURRENCY=4" }, { "gunicorn", "-w2", "app:app" }, 2 },
		{ { "WEB_CONCURRENCY=4", "GUNICORN_CMD_ARGS=--bind=:80 -w 3" }, { "gunicorn", "app:app" }, 3 },
		{ { "WEB_CONCURRENCY=4", "GUNICORN_CMD_ARGS=\t--workers=3  " }, { "gunicorn", "app:app" }, 3 },
		{ { "WEB_CONCURRENCY=4", "GUNICORN_CMD_ARGS=--bind :80" }, { "gunicorn", "app:app" }, 4 },
		{ { "WEB_CONCURRENCY=4", "GUNICORN_CMD_ARGS=" }, { "gunicorn", "app:app" }, 4 },
		{ { "GUNICORN_CMD_ARGS=-w3" }, { "gunicorn", "-w", "2", "app:app" }, 2 },
		{ { "GUNICORN_CMD_ARGS=-w" }, { "gunicorn", "app:app" }, 1 },
		{ { "GUNICORN_CMD_ARGS=-w3" }, { "uvicorn", "app:app" }, 1 },
		{ { "WEB_CONCURRENCY=4", "UVICORN_WORKERS=3" }, { "uvicorn", "app:app" }, 3 },
		{ { "WEB_CONCURRENCY=" }, { "uvicorn", "app:app" }, 1 },
		{ { "GRANIAN_WORKERS=4" }, { "granian", "app:app" }, 4 },
		{ { "WEB_CONCURRENCY=4" }, { "hypercorn", "app:app" }, 1 },
		{ { "WEB_CONCURRENCY=4" }, { "mine", "app:app" }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct workload workload = { .environment = cases[i].entries };
		unsigned count = 0;

		assert_int_equal(workers_of((char *const *)cases[i].words, &workload, &count), 0);
		assert_int_equal(count, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_words_say_how_many),
					    cmocka_unit_test(variables_count_where_the_words_say_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
