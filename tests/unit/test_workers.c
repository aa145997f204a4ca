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
		{ { "torchrun", "--nproc-per-node", "4", "--nproc-per-node", "2", "x.py" }, 2 },
		{ { "timeout", "60", "torchrun", "--nproc-per-node", "2", "x.py" }, 2 },
		{ { "env", "A=1", "/usr/bin/python3", "-m", "torch.distributed.run", "--nproc-per-node", "2", "x.py" },
		  2 },
		{ { "nice", "python3", "x.py", "torchrun", "--nproc-per-node", "2" }, 1 },
		{ { "/bin/bash", "-c", "x", "torchrun", "--nproc-per-node", "2" }, 1 },
		{ { "mine", "--nproc-per-node", "2" }, 1 },
		{ { NULL }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(workers_of((char *const *)cases[i].words, NULL), cases[i].expected);
}

static void the_variable_counts_where_the_words_say_nothing(void **state)
{
	static const char *const plain[] = { "torchrun", "--standalone", "x.py", NULL };
	static const char *const said[] = { "torchrun", "--nproc-per-node=2", "x.py", NULL };
	static const char *const other[] = { "mine", NULL };

	(void)state;
	assert_int_equal(workers_of((char *const *)plain, "3"), 3);
	assert_int_equal(workers_of((char *const *)plain, "auto"), UINT_MAX);
	assert_int_equal(workers_of((char *const *)said, "3"), 2);
	assert_int_equal(workers_of((char *const *)other, "3"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_words_say_how_many),
					    cmocka_unit_test(the_variable_counts_where_the_words_say_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
