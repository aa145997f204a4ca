/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a program would run among a deep-learning framework, and how long that answer holds: prepared trees. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "elf_make.h"
#include "target/framework.h"
#include "target/libraries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#define LINUX_LOADER "/lib64/ld-linux-x86-64.so.2"
#define SITE         "/v/lib/python3.11/site-packages"
#define BASE_SITE    "/usr/lib/python3/dist-packages"
#define SHIM         "#!/usr/bin/env bash\nset -e\nexec \"/home/u/.pyenv/libexec/pyenv\" exec \"$program\" \"$@\"\n"

/* A tree, who looks at it, and what was found. */
struct scene {
	struct sysroot_watch watch; /* first: opens() is handed this */
	unsigned opened;
	char *tree, *cache;
	struct sysroot root;
	struct framework framework;
};

static void opens(struct sysroot_watch *watch, const char *path)
{
	(void)path;
	((struct scene *)watch)->opened++;
}

static void scene_clear(struct scene *scene)
{
	framework_clear(&scene->framework);
	sysroot_close(&scene->root);
	tree_remove(scene->tree);
	tree_remove(scene->cache);
}
#define cleanup_scene cleanup_(scene_clear)

static void make_python(const struct scene *scene, const char *path)
{
	tree_make_elf(scene->tree, path, &(struct elf_make){ .interpreter = LINUX_LOADER });
}

/* Debian's Python, and a venv of it with nothing but pip. */
static void scene_init(struct scene *scene)
{
	struct err err = { 0 };

	*scene = (struct scene){ .watch = { .opens = opens }, .root = SYSROOT_INIT };
	scene->tree = tree_make();
	scene->cache = tree_make();
	make_python(scene, "/usr/bin/python3.11");
	make_python(scene, "/bin/sh");
	tree_make_folder(scene->tree, "/usr/lib/python3.11");
	tree_make_folder(scene->tree, BASE_SITE "/numpy");
	make_python(scene, "/v/bin/python3.11");
	tree_make_text(scene->tree, "/v/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n");
	tree_make_folder(scene->tree, SITE "/pip");
	assert_int_equal(sysroot_open(&scene->root, scene->tree, &err), 0);
	scene->root.watch = &scene->watch;
}

/* False: the answer was remembered. */
static bool looks_at(struct scene *scene, const char *program, char *const *argv, const char *variable)
{
	const char *const environment[] = { "PATH=/shims:/v/bin:/usr/bin:/bin", "HOME=/home/u", variable, NULL };
	const struct libraries_request request = {
		.root = &scene->root, .program = program, .argv = argv, .environment = environment, .folder = "/work"
	};
	struct err err = { 0 };

	framework_clear(&scene->framework);
	scene->opened = 0;
	if (framework_find(&request, scene->cache, &scene->framework, &err) < 0)
		fail_msg("%s: %s", program, err.text);
	return scene->opened != 0;
}

static bool looks_with(struct scene *scene, char *const *argv, const char *variable)
{
	return looks_at(scene, argv[0], argv, variable);
}

static bool looks(struct scene *scene, const char *program)
{
	char *const argv[] = { (char *)(uintptr_t)program, NULL };

	return looks_with(scene, argv, NULL);
}

static void assert_found(const struct scene *scene, const char *what, const char *due)
{
	const char *name = scene->framework.name ? scene->framework.name : "none";

	if (strcmp(name, due) != 0)
		fail_msg("%s: %s, not %s", what, name, due);
}

static void assert_finds(struct scene *scene, const char *program, const char *due)
{
	(void)looks(scene, program);
	assert_found(scene, program, due);
}

static void a_framework_counts_and_numpy_alone_does_not(void **state)
{
	static const char *const frameworks[] = {
		"torch", "tensorflow", "paddle", "jaxlib", "onnxruntime", "openvino"
	};
	static const char *const others[] = { "numpy", "scipy", "torchlike", "torch-2.9.dist-info" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(frameworks); i++) {
		cleanup_scene struct scene scene;
		char folder[128];

		scene_init(&scene);
		(void)snprintf(folder, sizeof(folder), SITE "/%s", frameworks[i]);
		tree_make_folder(scene.tree, folder);
		assert_finds(&scene, "/v/bin/python3.11", frameworks[i]);
		assert_finds(&scene, "/usr/bin/python3.11", "none");
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		cleanup_scene struct scene scene;
		char folder[128];

		scene_init(&scene);
		(void)snprintf(folder, sizeof(folder), SITE "/%s", others[i]);
		tree_make_folder(scene.tree, folder);
		assert_finds(&scene, "/v/bin/python3.11", "none");
	}
}

/* Console scripts, env, pip's two lines for long paths, pyenv's shims: what runs in the end counts. */
static void what_starts_python_is_followed_to_it(void **state)
{
	static const struct {
		const char *path, *text, *due;
	} rows[] = {
		{ "/v/bin/uvicorn", "#!/v/bin/python3.11\nimport uvicorn\n", "torch" },
		{ "/v/bin/torchrun", "#!/v/bin/python3.11 -s\n", "torch" },
		{ "/srv/serve", "#!/usr/bin/env python3.11\n", "torch" },
		{ "/srv/clean", "#!/usr/bin/env -S PATH=/usr/bin python3.11\n", "none" },
		{ "/srv/other", "#!/usr/bin/python3.11\n", "none" },
		{ "/v/bin/long", "#!/bin/sh\n'''exec' /v/bin/python3.11 \"$0\" \"$@\"\n' '''\n", "torch" },
		{ "/srv/run.sh", "#!/bin/sh\npython3.11 serve.py\n", "none" },
		{ "/srv/text", "python3.11 serve.py\n", "none" },
		{ "/home/u/.pyenv/shims/python3.11", SHIM, "onnxruntime" },
		{ "/srv/gone", "#!/v/bin/python3.99\n", "none" },
	};
	cleanup_scene struct scene scene;

	(void)state;
	scene_init(&scene);
	tree_make_folder(scene.tree, SITE "/torch");
	make_python(&scene, "/home/u/.pyenv/versions/3.11.7/bin/python3.11");
	tree_make_folder(scene.tree, "/home/u/.pyenv/versions/3.11.7/lib/python3.11/site-packages/onnxruntime");
	tree_make_text(scene.tree, "/home/u/.pyenv/version", "3.11.7\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tree_make_text(scene.tree, rows[i].path, rows[i].text);
		assert_finds(&scene, rows[i].path, rows[i].due);
		if (looks(&scene, rows[i].path))
			fail_msg("%s is not remembered", rows[i].path);
		assert_found(&scene, rows[i].path, rows[i].due);
	}
}

/* env, and what names the Python that it starts. */
static void what_stands_in_front_of_a_command_is_seen_through(void **state)
{
	static const struct {
		const char *words[8], *due, *closed;
	} rows[] = {
		{ { "env", "python3.11", "x.py" }, "torch" },
		{ { "env", "-u", "HOME", "A=b", "--", "python3.11", "-c", "pass" }, "torch" },
		{ { "env", "--unset=HOME", "python3.11" }, "torch" },
		{ { "env", "PATH=/usr/bin", "python3.11" }, "none" },
		{ { "env", "/usr/bin/python3.11" }, "none" },
		{ { "env", "/v/bin/uvicorn" }, "torch" },
		{ { "env", "/v/bin/python3.11" }, "torch" },
		{ { "env", "-C", "/", "python3.11" }, "none" }, /* which only env itself can tell */
		{ { "env", "-u" }, "none" },
		{ { "env", "gone" }, "none" },
		{ { "env" }, "none" },
		{ { "env", "A=b", "timeout", "5", "python3.11" }, "torch" },
		{ { "timeout", "5", "python3.11", "x.py" }, "torch" },
		{ { "timeout", "5", "python3.11", "-I", "x.py" }, "torch", "-I" },
		{ { "timeout", "-k", "1", "5", "/usr/bin/python3.11", "x.py" }, "none" },
		{ { "timeout", "5", "/usr/bin/timeout", "4", "/v/bin/python3.11" }, "torch" },
		{ { "timeout", "5", "python3.99", "/v/bin/python3.11" }, "none" }, /* which the program will say */
		{ { "timeout", "5", "/v/bin/uvicorn" }, "none" },
	};
	cleanup_scene struct scene scene;

	(void)state;
	scene_init(&scene);
	make_python(&scene, "/usr/bin/env");
	make_python(&scene, "/usr/bin/timeout");
	tree_make_text(scene.tree, "/v/bin/uvicorn", "#!/v/bin/python3.11\n");
	tree_make_folder(scene.tree, SITE "/torch");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *argv[9] = { NULL };
		const char *what = rows[i].words[1] ? rows[i].words[1] : "env";
		char program[32];

		memcpy(argv, rows[i].words, sizeof(rows[i].words));
		(void)snprintf(program, sizeof(program), "/usr/bin/%s", argv[0]);
		if (!looks_at(&scene, program, argv, NULL))
			fail_msg("row %zu is another's answer", i);
		assert_found(&scene, what, rows[i].due);
		assert_string_equal(scene.framework.closed ? scene.framework.closed : "",
				    rows[i].closed ? rows[i].closed : "");
		assert_false(looks_at(&scene, program, argv, NULL));
		assert_found(&scene, what, rows[i].due);
	}
}

static void the_interpreters_own_options_count(void **state)
{
	char *const isolated[] = { (char *)"/v/bin/python3.11", (char *)"-I", (char *)"x.py", NULL };
	char *const plain[] = { (char *)"/v/bin/python3.11", (char *)"x.py", (char *)"-I", NULL };
	cleanup_scene struct scene scene;

	(void)state;
	scene_init(&scene);
	tree_make_folder(scene.tree, "/opt/more/openvino");
	assert_true(looks_with(&scene, plain, "PYTHONPATH=/opt/more"));
	assert_found(&scene, "PYTHONPATH", "openvino");
	assert_null(scene.framework.closed);
	assert_true(looks_with(&scene, isolated, "PYTHONPATH=/opt/more"));
	assert_found(&scene, "-I", "none");
	assert_string_equal(scene.framework.closed, "-I");
	assert_false(looks_with(&scene, isolated, "PYTHONPATH=/opt/more"));
	assert_string_equal(scene.framework.closed, "-I");
	assert_true(looks_with(&scene, plain, NULL));
	assert_found(&scene, "no PYTHONPATH", "none");
}

/* Each step changes one thing; the start after it is by the new answer, from memory. */
static void an_installation_is_noticed_and_so_is_its_end(void **state)
{
	static const char python[] = "/v/bin/python3.11";
	cleanup_scene struct scene scene;
	cleanup_free char *folder = NULL;

	(void)state;
	scene_init(&scene);
	assert_true(looks(&scene, python));
	assert_found(&scene, "at first", "none");
	assert_false(looks(&scene, python));
	assert_found(&scene, "at first", "none");
	tree_make_folder(scene.tree, SITE "/torch");
	assert_true(looks(&scene, python));
	assert_found(&scene, "pip install torch", "torch");
	assert_false(looks(&scene, python));
	assert_found(&scene, "pip install torch", "torch");
	assert_true(asprintf(&folder, "%s" SITE "/torch", scene.tree) > 0);
	assert_int_equal(rmdir(folder), 0);
	assert_true(looks(&scene, python));
	assert_found(&scene, "pip uninstall torch", "none");
	/* A folder of packages that was not there. */
	assert_false(looks(&scene, python));
	tree_make_folder(scene.tree, "/v/lib64/python3.11/site-packages/torch");
	assert_true(looks(&scene, python));
	assert_found(&scene, "lib64", "torch");
	assert_true(looks(&scene, "/usr/bin/python3.11"));
	assert_false(looks(&scene, "/usr/bin/python3.11"));
	tree_make_folder(scene.tree, "/home/u/.local/lib/python3.11/site-packages/jaxlib");
	assert_true(looks(&scene, "/usr/bin/python3.11"));
	assert_found(&scene, "pip install --user", "jaxlib");
}

static void a_line_of_pth_leads_to_more(void **state)
{
	static const char python[] = "/v/bin/python3.11";
	cleanup_scene struct scene scene;

	(void)state;
	scene_init(&scene);
	tree_make_text(scene.tree, SITE "/more.pth", "/nowhere\n");
	assert_finds(&scene, python, "none");
	tree_make_folder(scene.tree, "/work/tree/torch");
	assert_false(looks(&scene, python));
	tree_make_text(scene.tree, SITE "/more.pth", "/work/tree\n");
	assert_true(looks(&scene, python));
	assert_found(&scene, "an editable one", "torch");
	assert_false(looks(&scene, python));
	/* The venv is made anew with the system's packages. */
	tree_make_text(scene.tree, SITE "/more.pth", "/nowhere\n");
	tree_make_folder(scene.tree, BASE_SITE "/tensorflow");
	assert_finds(&scene, python, "none");
	tree_make_text(scene.tree, "/v/pyvenv.cfg",
		       "home = /usr/bin\nversion = 3.11.2\ninclude-system-site-packages = true\n");
	assert_true(looks(&scene, python));
	assert_found(&scene, "the system's", "tensorflow");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_framework_counts_and_numpy_alone_does_not),
		cmocka_unit_test(what_starts_python_is_followed_to_it),
		cmocka_unit_test(what_stands_in_front_of_a_command_is_seen_through),
		cmocka_unit_test(the_interpreters_own_options_count),
		cmocka_unit_test(an_installation_is_noticed_and_so_is_its_end),
		cmocka_unit_test(a_line_of_pth_leads_to_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
