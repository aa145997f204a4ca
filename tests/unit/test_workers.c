/* SPDX-License-Identifier: Apache-2.0 */
/* How many processes a program starts, by its words. */
#include "joint/workers.h"

#include "base/cleanup.h"

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
		{ { "mine", "--nproc-per-node", "2" }, 1 },
		{ { NULL }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(workers_of((char *const *)cases[i].words), cases[i].expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_words_say_how_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
