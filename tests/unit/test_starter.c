/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that start others, by their names and words. */
#include "target/starter.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names_and_words_tell_what_starts_others(void **state)
{
	static const struct {
		const char *interpreter, *words[7];
		size_t python;
		const char *name; /* NULL: it is none */
	} rows[] = {
		{ "/usr/bin/bash", { "/bin/bash", "-c", "python3 x.py" }, 0, "bash" },
		{ "/usr/bin/dash", { "./entrypoint.sh", "serve" }, 0, "dash" },
		{ "/usr/bin/timeout", { "timeout", "5", "/v/bin/python3.11", "-I", "x.py" }, 2, "timeout" },
		{ "/usr/bin/nice", { "/usr/bin/nice", "env", "A=b", "pypy3", "x.py" }, 3, "nice" },
		{ "/opt/conda/bin/python3.12", { "/opt/conda/bin/conda", "run", "-n", "e", "serve" }, 0, "conda" },
		{ "/usr/bin/uv", { "uv", "run", "python", "x.py" }, 2, "uv" },
		{ "/usr/bin/python3.11", { "python3", "x.py", "python3" }, 0, NULL },
		{ "/usr/bin/python3.11", { "./serve.py", "bash" }, 0, NULL },
		{ "/usr/bin/orterun", { "mpirun.openmpi", "-n", "2", "serve" }, 0, "mpirun.openmpi" },
		{ "/usr/bin/uwsgi-core", { "uwsgi", "--http", ":80" }, 0, "uwsgi" },
		{ "/usr/bin/sleep", { "sleep", "5" }, 0, NULL },
		{ "/usr/bin/tool", { "tool", "python3-config", "--python3" }, 0, NULL },
		{ "/usr/bin/tool", { NULL }, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *const *words = (char *const *)rows[i].words;
		const char *name = starter_name(rows[i].interpreter, words);

		assert_int_equal(starter_python(words), rows[i].python);
		assert_string_equal(name ? name : "(none)", rows[i].name ? rows[i].name : "(none)");
	}
}

static void who_starts_ranks_is_known_by_name(void **state)
{
	static const struct {
		const char *words[3], *name;
	} rows[] = {
		{ { "mpirun", "x" }, "mpirun" },   { { "/opt/mpi/bin/mpiexec.hydra", "x" }, "mpiexec.hydra" },
		{ { "srun", "x" }, "srun" },       { { "mpirunner", "x" }, NULL },
		{ { "python3", "mpirun" }, NULL }, { { NULL }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *name = starter_of_ranks((char *const *)rows[i].words);

		assert_string_equal(name ? name : "(none)", rows[i].name ? rows[i].name : "(none)");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_words_tell_what_starts_others),
		cmocka_unit_test(who_starts_ranks_is_known_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
