/* SPDX-License-Identifier: Apache-2.0 */
/* Following what only starts Python, and telling which environment it then works in, in prepared trees. */
#include "base/cleanup.h"
#include "base/err.h"
#include "elf_make.h"
#include "target/program.h"
#include "target/pyenv.h"
#include "target/python.h"
#include "target/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const struct elf_make elf_program = { .interpreter = "/lib64/ld-linux-x86-64.so.2" };

static const char shim[] = "#!/usr/bin/env bash\nset -e\nprogram=\"${0##*/}\"\nexport PYENV_ROOT=\"/home/u/.pyenv\"\n"
			   "exec \"/home/u/.pyenv/libexec/pyenv\" exec \"$program\" \"$@\"\n";

/* Debian's Python, a venv on it, two pyenv versions, a conda environment, each with a folder for packages. */
static char *make_machine(void)
{
	char *tree = tree_make();

	tree_make_elf(tree, "/usr/bin/python3.11", &elf_program);
	tree_make_link(tree, "/usr/bin/python3", "python3.11");
	tree_make_elf(tree, "/bin/sh", &elf_program);
	tree_make_elf(tree, "/usr/bin/bash", &elf_program);
	tree_make_elf(tree, "/usr/bin/env", &elf_program);
	tree_make_folder(tree, "/usr/lib/python3.11");
	tree_make_folder(tree, "/usr/lib/python3/dist-packages");
	tree_make_folder(tree, "/usr/local/lib/python3.11/dist-packages");
	tree_make_folder(tree, "/home/u/.local/lib/python3.11/site-packages");
	tree_make_link(tree, "/v/bin/python", "/usr/bin/python3");
	tree_make_link(tree, "/v/bin/python3", "python");
	tree_make_text(tree, "/v/pyvenv.cfg",
		       "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n");
	tree_make_folder(tree, "/v/lib/python3.11/site-packages");
	tree_make_link(tree, "/v/lib64", "lib");
	tree_make_text(tree, "/home/u/.pyenv/shims/python3", shim);
	tree_make_text(tree, "/home/u/.pyenv/shims/torchrun", shim);
	tree_make_text(tree, "/home/u/.pyenv/version", "3.12.1\n");
	tree_make_elf(tree, "/home/u/.pyenv/versions/3.12.1/bin/python3.12", &elf_program);
	tree_make_link(tree, "/home/u/.pyenv/versions/3.12.1/bin/python3", "python3.12");
	tree_make_folder(tree, "/home/u/.pyenv/versions/3.12.1/lib/python3.12/site-packages");
	tree_make_elf(tree, "/home/u/.pyenv/versions/3.9.18/bin/python3", &elf_program);
	tree_make_elf(tree, "/home/u/.pyenv/versions/3.10.2/bin/python3", &elf_program);
	tree_make_elf(tree, "/home/u/.pyenv/versions/3.10.13/bin/python3", &elf_program);
	tree_make_elf(tree, "/home/u/.pyenv/versions/3.10.14-dev/bin/python3", &elf_program);
	tree_make_text(tree, "/home/u/.pyenv/versions/3.10.13/bin/torchrun",
		       "#!/home/u/.pyenv/versions/3.10.13/bin/python3 -sE\nimport x\n");
	tree_make_folder(tree, "/home/u/project/deep");
	tree_make_text(tree, "/home/u/project/.python-version", "# ours\n\n3.10\n");
	tree_make_elf(tree, "/opt/conda/envs/e/bin/python3.10", &elf_program);
	tree_make_link(tree, "/opt/conda/envs/e/bin/python", "python3.10");
	tree_make_folder(tree, "/opt/conda/envs/e/conda-meta");
	tree_make_folder(tree, "/opt/conda/envs/e/lib/python3.10/site-packages");
	return tree;
}

struct scene {
	char *tree;
	struct sysroot root;
	struct program program;
	struct python *python;
};

static void scene_clear(struct scene *scene)
{
	python_free(scene->python);
	program_clear(&scene->program);
	sysroot_close(&scene->root);
	tree_remove(scene->tree);
}
#define cleanup_scene cleanup_(scene_clear)

static void begin(struct scene *scene)
{
	struct err err = { 0 };

	scene->tree = make_machine();
	assert_int_equal(sysroot_open(&scene->root, scene->tree, &err), 0);
}

static void follow(struct scene *scene, const char *path, const char *const *environment, const char *folder)
{
	struct err err = { 0 };

	program_clear(&scene->program);
	if (program_follow(&scene->root, path, environment, folder, &scene->program, &err) < 0)
		fail_msg("%s: %s", path, err.text);
}

static const struct python *look(struct scene *scene, const char *path, const char *const *environment,
				 const char *const *argv)
{
	struct err err = { 0 };

	follow(scene, path, environment, "/work");
	python_free(TAKE(scene->python));
	assert_int_equal(python_find(&scene->root, &scene->program, environment, "/work", (char *const *)argv,
				     &scene->python, &err),
			 0);
	return scene->python;
}

/* The lists are these, NULL-terminated. */
static void assert_words(const struct words *words, const char *const *expected)
{
	for (size_t i = 0; i < words->count || expected[i]; i++) {
		const char *wanted = expected[i] ? expected[i] : "nothing more";

		assert_string_equal(i < words->count ? words->items[i] : "nothing more", wanted);
		if (!expected[i])
			return;
	}
}

static void names_of_interpreters_are_known(void **state)
{
	static const char *const yes[] = { "python", "python3", "python3.11", "python3.13t", "pypy3", "pypy3.10" };
	static const char *const no[] = { "pythonw.sh", "python-config", "ipython", "bash", "python3.11-config", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(python_is(yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(python_is(no[i]));
}

static void scripts_lead_to_their_interpreter(void **state)
{
	static const char *const environment[] = { "PATH=/nothing:/v/bin:/usr/bin", NULL };
	static const struct {
		const char *text, *ends_at, *argument;
	} rows[] = {
		{ "#!/v/bin/python\n", "/v/bin/python", NULL },
		{ "#!/v/bin/python -I\n", "/v/bin/python", "-I" },
		{ "#!/usr/bin/env python3\n", "/v/bin/python3", NULL },
		{ "#!/usr/bin/env -S PATH=/usr/bin python3 -u\n", "/usr/bin/python3", NULL },
		{ "#!/bin/sh\n'''exec' /v/bin/python \"$0\" \"$@\"\n' '''\nimport x\n", "/v/bin/python", NULL },
		{ "#!/bin/sh\n'''exec' \"/v/bin/python\" \"$0\" \"$@\"\n' '''\n", "/v/bin/python", NULL },
		{ "#!/bin/sh\necho hello\n", "/bin/sh", NULL },
		{ "echo hello\n", "/bin/sh", NULL },
	};
	cleanup_scene struct scene scene = { .tree = NULL };
	struct err err = { 0 };

	(void)state;
	begin(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tree_make_text(scene.tree, "/work/script", rows[i].text);
		follow(&scene, "script", environment, "/work");
		assert_string_equal(scene.program.path, rows[i].ends_at);
		assert_true(scene.program.followed);
		assert_int_equal(scene.program.libc, TARGET_LIBC_GLIBC);
		if (rows[i].argument)
			assert_string_equal(scene.program.argument, rows[i].argument);
		else
			assert_null(scene.program.argument);
	}
	tree_make_text(scene.tree, "/work/circle", "#!/work/circle\n");
	assert_int_equal(program_follow(&scene.root, "/work/circle", NULL, "/", &scene.program, &err), -ELOOP);
	tree_make_text(scene.tree, "/work/gone", "#!/no/such\n");
	assert_int_equal(program_follow(&scene.root, "/work/gone", NULL, "/", &scene.program, &err), -ENOENT);
}

static void a_shim_of_pyenv_starts_what_is_chosen(void **state)
{
	static const char path[] = "PATH=/home/u/.pyenv/shims:/usr/bin";
	static const struct {
		const char *variable, *folder, *shim, *ends_at, *chosen_by;
	} rows[] = {
		{ NULL, "/work", "python3", "3.12.1/bin/python3", "/home/u/.pyenv/version" },
		{ NULL, "/home/u/project/deep", "python3", "3.10.13/bin/python3", "/home/u/project/.python-version" },
		{ "PYENV_VERSION=3.9.18", "/home/u/project", "python3", "3.9.18/bin/python3", "PYENV_VERSION" },
		{ "PYENV_VERSION=python-3.9", "/work", "python3", "3.9.18/bin/python3", "PYENV_VERSION" },
		{ "PYENV_VERSION=3.12:3.10", "/work", "torchrun", "3.10.13/bin/python3", "PYENV_VERSION" },
		{ "PYENV_DIR=/home/u/project", "/work", "python3", "3.10.13/bin/python3",
		  "/home/u/project/.python-version" },
		{ "PYENV_VERSION=system", "/work", "python3", NULL, "PYENV_VERSION" },
		{ "PYENV_VERSION=system:3.9", "/work", "python3", NULL, "PYENV_VERSION" },
	};
	cleanup_scene struct scene scene = { .tree = NULL };
	const char *const missing[] = { path, "PYENV_VERSION=3.9:3.7", NULL };
	struct err err = { 0 };

	(void)state;
	begin(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const environment[] = { path, rows[i].variable, NULL };
		char from[256], to[256];

		(void)snprintf(from, sizeof(from), "/home/u/.pyenv/shims/%s", rows[i].shim);
		(void)snprintf(to, sizeof(to), "/home/u/.pyenv/versions/%s", rows[i].ends_at ? rows[i].ends_at : "");
		follow(&scene, from, environment, rows[i].folder);
		assert_string_equal(scene.program.path, rows[i].ends_at ? to : "/usr/bin/python3");
		assert_string_equal(scene.program.chosen_by, rows[i].chosen_by);
	}
	assert_int_equal(
		program_follow(&scene.root, "/home/u/.pyenv/shims/python3", missing, "/work", &scene.program, &err),
		-ENOENT);
	assert_non_null(strstr(err.text, "pyenv has not got the version"));
}

static void version_files_are_read_as_pyenv_does(void **state)
{
	static const struct {
		const char *text, *versions;
	} rows[] = {
		{ "3.12.1\n", "3.12.1" },          { "  3.12.1  and more\r\n3.11\n", "3.12.1:3.11" },
		{ "# no\n\n\n3.9", "3.9" },        { "", "" },
		{ "../../etc\n3.8\n..\n", "3.8" }, { "a/b\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *versions = pyenv_versions(rows[i].text);

		assert_string_equal(versions, rows[i].versions);
	}
}

static void a_venv_has_its_own_packages_and_no_others(void **state)
{
	static const char *const environment[] = { "HOME=/home/u", NULL };
	static const char *const own[] = { "/v/lib/python3.11/site-packages", NULL };
	static const char *const own_lib[] = { "/v/lib", NULL };
	static const char *const all[] = { "/v/lib/python3.11/site-packages",
					   "/home/u/.local/lib/python3.11/site-packages",
					   "/usr/local/lib/python3.11/dist-packages", "/usr/lib/python3/dist-packages",
					   NULL };
	cleanup_scene struct scene scene = { .tree = NULL };
	const struct python *python;

	(void)state;
	begin(&scene);
	python = look(&scene, "/v/bin/python3", environment, NULL);
	assert_int_equal(python->kind, PYTHON_VENV);
	assert_string_equal(python->prefix, "/v");
	assert_string_equal(python->base_prefix, "/usr");
	assert_string_equal(python->version, "3.11");
	assert_words(&python->sites, own);
	assert_words(&python->libs, own_lib);
	tree_make_text(scene.tree, "/v/pyvenv.cfg", "HOME=/usr/bin\nInclude-System-Site-Packages =  True \n");
	python = look(&scene, "/v/bin/python3", environment, NULL);
	assert_words(&python->sites, all);
}

static void the_system_has_debians_folders_and_the_users(void **state)
{
	static const char *const user[] = { "HOME=/home/u", NULL };
	static const char *const without[] = { "HOME=/home/u", "PYTHONNOUSERSITE=1", NULL };
	static const char *const elsewhere[] = { "HOME=/home/u", "PYTHONUSERBASE=/users/base", NULL };
	static const char *const all[] = { "/home/u/.local/lib/python3.11/site-packages",
					   "/usr/local/lib/python3.11/dist-packages", "/usr/lib/python3/dist-packages",
					   NULL };
	static const char *const isolated[] = { "python3", "-I", "x.py", NULL };
	static const char *const bare[] = { "python3", "-uS", "x.py", NULL };
	static const char *const after[] = { "python3", "-W", "ignore", "-m", "x", "-I", NULL };
	static const char *const none[] = { NULL };
	static const char *const base[] = { "/users/base/lib/python3.11/site-packages",
					    "/usr/local/lib/python3.11/dist-packages", "/usr/lib/python3/dist-packages",
					    NULL };
	cleanup_scene struct scene scene = { .tree = NULL };
	const struct python *python;

	(void)state;
	begin(&scene);
	tree_make_folder(scene.tree, "/users/base/lib/python3.11/site-packages");
	python = look(&scene, "/usr/bin/python3", user, NULL);
	assert_int_equal(python->kind, PYTHON_SYSTEM);
	assert_words(&python->sites, all);
	assert_words(&look(&scene, "/usr/bin/python3", without, NULL)->sites, all + 1);
	assert_words(&look(&scene, "/usr/bin/python3", elsewhere, NULL)->sites, base);
	assert_words(&look(&scene, "/usr/bin/python3", user, isolated)->sites, all + 1);
	assert_words(&look(&scene, "/usr/bin/python3", user, bare)->sites, none);
	assert_words(&look(&scene, "/usr/bin/python3", user, after)->sites, all);
}

static void conda_and_pyenv_are_told_apart(void **state)
{
	static const char *const environment[] = { "PATH=/usr/bin", NULL };
	static const char *const conda[] = { "/opt/conda/envs/e/lib/python3.10/site-packages", NULL };
	static const char *const conda_lib[] = { "/opt/conda/envs/e/lib", NULL };
	static const char *const pyenv[] = { "/home/u/.pyenv/versions/3.12.1/lib/python3.12/site-packages", NULL };
	cleanup_scene struct scene scene = { .tree = NULL };
	const struct python *python;

	(void)state;
	begin(&scene);
	python = look(&scene, "/opt/conda/envs/e/bin/python", environment, NULL);
	assert_int_equal(python->kind, PYTHON_CONDA);
	assert_string_equal(python->version, "3.10");
	assert_words(&python->sites, conda);
	assert_words(&python->libs, conda_lib);
	python = look(&scene, "/home/u/.pyenv/shims/python3", environment, NULL);
	assert_int_equal(python->kind, PYTHON_PYENV);
	assert_words(&python->sites, pyenv);
	/* Which of two versions a nameless interpreter is cannot be told from folders. */
	tree_make_folder(scene.tree, "/home/u/.pyenv/versions/3.9.18/lib/python3.8");
	tree_make_folder(scene.tree, "/home/u/.pyenv/versions/3.9.18/lib/python3.9");
	assert_null(look(&scene, "/home/u/.pyenv/versions/3.9.18/bin/python3", environment, NULL)->version);
}

static void pythonpath_and_pth_files_add_folders(void **state)
{
	static const char *const environment[] = { "PYTHONPATH=/extra::rel:/none", "PYTHONHOME=", NULL };
	static const char *const ignored[] = { "python3", "-E", NULL };
	static const char *const sites[] = { "/extra",
					     "/work/rel",
					     "/v/lib/python3.11/site-packages",
					     "/src/checkout",
					     "/v/lib/python3.11/site-packages/beside",
					     NULL };
	static const char *const without[] = { "/v/lib/python3.11/site-packages", "/src/checkout",
					       "/v/lib/python3.11/site-packages/beside", "/extra", NULL };
	static const char *const libs[] = { "/extra/lib", "/v/lib", NULL };
	cleanup_scene struct scene scene = { .tree = NULL };

	(void)state;
	begin(&scene);
	tree_make_folder(scene.tree, "/extra/lib");
	tree_make_folder(scene.tree, "/work/rel");
	tree_make_folder(scene.tree, "/src/checkout");
	tree_make_folder(scene.tree, "/v/lib/python3.11/site-packages/beside");
	tree_make_text(scene.tree, "/v/lib/python3.11/site-packages/e.pth",
		       "import os; os.system('boom')\n# no\n/src/checkout\r\nbeside\n/src/missing\n/extra\n");
	assert_words(&look(&scene, "/v/bin/python", environment, NULL)->sites, sites);
	assert_words(&scene.python->libs, libs);
	assert_words(&look(&scene, "/v/bin/python", environment, ignored)->sites, without);
}

static void hidden_pth_files_count_where_site_reads_them(void **state)
{
	static const char *const with[] = { "/v/lib/python3.11/site-packages", "/hidden", "/shown", NULL };
	static const char *const without[] = { "/v/lib/python3.11/site-packages", "/shown", NULL };
	cleanup_scene struct scene scene = { .tree = NULL };

	(void)state;
	begin(&scene);
	tree_make_folder(scene.tree, "/hidden");
	tree_make_folder(scene.tree, "/shown");
	tree_make_text(scene.tree, "/v/lib/python3.11/site-packages/.a.pth", "/hidden\n");
	tree_make_text(scene.tree, "/v/lib/python3.11/site-packages/b.pth", "/shown\n");
	assert_words(&look(&scene, "/v/bin/python", NULL, NULL)->sites, without);
	tree_make_text(scene.tree, "/usr/lib/python3.11/site.py",
		       "    names = [name for name in names if name.endswith(\".pth\")]\n");
	assert_words(&look(&scene, "/v/bin/python", NULL, NULL)->sites, with);
	tree_make_text(scene.tree, "/usr/lib/python3.11/site.py",
		       "if name.endswith(\".pth\") and not name.startswith(\".\")]\n");
	assert_words(&look(&scene, "/v/bin/python", NULL, NULL)->sites, without);
}

static void configurations_are_read_as_site_does(void **state)
{
	static const struct {
		const char *text, *key, *value;
	} rows[] = {
		{ "home = /usr/bin\n", "home", "/usr/bin" },
		{ "HOME=/a\nhome =\t/b \r\n", "home", "/b" },
		{ "homes = /a\nxhome = /b\nhome /c\n", "home", NULL },
		{ "home = /a = b", "home", "/a = b" },
		{ "=\n==\nhome=", "home", "" },
		{ "", "home", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *value = NULL;

		assert_int_equal(python_config_value(rows[i].text, rows[i].key, &value), rows[i].value ? 0 : -ENOENT);
		if (rows[i].value)
			assert_string_equal(value, rows[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_interpreters_are_known),
		cmocka_unit_test(scripts_lead_to_their_interpreter),
		cmocka_unit_test(a_shim_of_pyenv_starts_what_is_chosen),
		cmocka_unit_test(version_files_are_read_as_pyenv_does),
		cmocka_unit_test(a_venv_has_its_own_packages_and_no_others),
		cmocka_unit_test(the_system_has_debians_folders_and_the_users),
		cmocka_unit_test(conda_and_pyenv_are_told_apart),
		cmocka_unit_test(pythonpath_and_pth_files_add_folders),
		cmocka_unit_test(hidden_pth_files_count_where_site_reads_them),
		cmocka_unit_test(configurations_are_read_as_site_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
