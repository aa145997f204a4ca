/* SPDX-License-Identifier: Apache-2.0 */
/* Which OpenMP runtime is in charge, what else could be had, and when that is remembered: prepared trees. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "elf_make.h"
#include "target/libraries.h"
#include "target/openmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#define LINUX_LOADER "/lib64/ld-linux-x86-64.so.2"
#define DIST         "/v/lib/python3.11/site-packages"
#define SYSTEM       "/usr/lib/x86_64-linux-gnu"

/* A tree, who looks at it, and what was found. */
struct scene {
	struct sysroot_watch watch; /* first: opens() is handed this */
	unsigned opened;
	char *tree, *cache;
	struct sysroot root;
	struct openmp_found found;
};

static void opens(struct sysroot_watch *watch, const char *path)
{
	(void)path;
	((struct scene *)watch)->opened++;
}

static void scene_clear(struct scene *scene)
{
	openmp_found_clear(&scene->found);
	sysroot_close(&scene->root);
	tree_remove(scene->tree);
	tree_remove(scene->cache);
}
#define cleanup_scene cleanup_(scene_clear)

/* A Debian with libgomp and LLVM's libomp, and a venv with torch's own libgomp and pip's intel-openmp. */
static void make_machine(struct scene *scene)
{
	static const char *const cached[] = {
		"libgomp.so.1", SYSTEM "/libgomp.so.1", "libomp.so.5", SYSTEM "/libomp.so.5",
		"libc.so.6",    SYSTEM "/libc.so.6",    NULL
	};
	struct err err = { 0 };

	*scene = (struct scene){ .watch = { .opens = opens }, .root = SYSROOT_INIT };
	scene->tree = tree_make();
	scene->cache = tree_make();
	tree_make_cache(scene->tree, cached, false);
	for (size_t i = 0; cached[i]; i += 2)
		tree_make_elf(scene->tree, cached[i + 1], &(struct elf_make){ .soname = cached[i] });
	tree_make_elf(scene->tree, "/v/bin/python3.11", &(struct elf_make){ .interpreter = LINUX_LOADER });
	tree_make_text(scene->tree, "/v/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n");
	tree_make_elf(scene->tree, "/v/lib/libiomp5.so", &(struct elf_make){ .soname = "libiomp5.so" });
	tree_make_elf(scene->tree, DIST "/torch/_C.cpython-311-x86_64-linux-gnu.so",
		      &(struct elf_make){ .rpath = "$ORIGIN/lib", .needed = { "libgomp.so.1" } });
	tree_make_elf(scene->tree, DIST "/torch/lib/libgomp.so.1", &(struct elf_make){ .soname = "libgomp.so.1" });
	assert_int_equal(sysroot_open(&scene->root, scene->tree, &err), 0);
	scene->root.watch = &scene->watch;
}

/* False: the answer was remembered. */
static bool looks(struct scene *scene, const char *program, const char *variable, const char *folder)
{
	const char *const environment[] = { variable, NULL };
	const struct libraries_request request = {
		.root = &scene->root, .program = program, .environment = environment, .folder = folder
	};
	struct err err = { 0 };

	openmp_found_clear(&scene->found);
	scene->opened = 0;
	if (openmp_find(&request, scene->cache, &scene->found, &err) < 0)
		fail_msg("%s: %s", program, err.text);
	return scene->opened != 0;
}

static bool looks_for_python(struct scene *scene)
{
	return looks(scene, "/v/bin/python3.11", NULL, "/work");
}

static void a_kind_is_told_from_the_soname_before_the_files_name(void **state)
{
	static const struct {
		const char *soname, *path;
		enum openmp_kind kind;
	} rows[] = {
		{ "libgomp-a34b3233.so.1.0.0", "/x/libgomp-a34b3233.so.1.0.0", OPENMP_GNU },
		{ "libiomp5.so", "/x/libiomp5.so", OPENMP_INTEL },
		{ "libomp.so.5", "/usr/lib/x86_64-linux-gnu/libiomp5.so", OPENMP_LLVM }, /* Debian's libomp5 */
		{ "libomp.so", "/conda/lib/libgomp.so.1", OPENMP_LLVM },
		{ NULL, "/x/libomp-14.so.5", OPENMP_LLVM },
		{ NULL, "/x/libsomp.so", OPENMP_ANY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(openmp_kind_of(rows[i].soname, rows[i].path), rows[i].kind);
}

static void the_nearest_of_each_kind_can_be_had(void **state)
{
	cleanup_scene struct scene scene;

	(void)state;
	make_machine(&scene);
	assert_true(looks_for_python(&scene));
	assert_int_equal(scene.found.kind, OPENMP_GNU);
	assert_string_equal(scene.found.path, DIST "/torch/lib/libgomp.so.1");
	assert_false(scene.found.at_start);
	assert_int_equal(scene.found.second, OPENMP_ANY);
	assert_string_equal(scene.found.program, "/v/bin/python3.11");
	assert_string_equal(scene.found.candidates[OPENMP_GNU].path, DIST "/torch/lib/libgomp.so.1");
	assert_string_equal(scene.found.candidates[OPENMP_INTEL].path, "/v/lib/libiomp5.so");
	assert_string_equal(scene.found.candidates[OPENMP_LLVM].path, SYSTEM "/libomp.so.5");
}

static void a_second_kind_is_named_with_who_loads_it(void **state)
{
	cleanup_scene struct scene scene;

	(void)state;
	make_machine(&scene);
	tree_make_elf(scene.tree, DIST "/xgboost/lib/libxgboost.so", &(struct elf_make){ .needed = { "libomp.so.5" } });
	assert_true(looks_for_python(&scene));
	assert_int_equal(scene.found.kind, OPENMP_GNU);
	assert_int_equal(scene.found.second, OPENMP_LLVM);
	assert_string_equal(scene.found.second_by, "xgboost");
	/* Preloaded, Intel's is there before both. */
	assert_true(looks(&scene, "/v/bin/python3.11", "LD_PRELOAD=/v/lib/libiomp5.so", "/work"));
	assert_int_equal(scene.found.kind, OPENMP_INTEL);
	assert_true(scene.found.at_start);
}

static void several_copies_of_one_kind_are_that_kind(void **state)
{
	cleanup_scene struct scene scene;

	(void)state;
	make_machine(&scene);
	tree_make_elf(scene.tree, "/w/bin/python3.11", &(struct elf_make){ .interpreter = LINUX_LOADER });
	tree_make_text(scene.tree, "/w/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n");
	tree_make_elf(scene.tree, "/w/lib/python3.11/site-packages/xgboost/lib/libxgboost.so",
		      &(struct elf_make){ .needed = { "libgomp.so.1" } });
	tree_make_elf(scene.tree, "/w/lib/python3.11/site-packages/lightgbm/lib/lib_lightgbm.so",
		      &(struct elf_make){ .rpath = "$ORIGIN", .needed = { "libgomp-1.so" } });
	tree_make_elf(scene.tree, "/w/lib/python3.11/site-packages/lightgbm/lib/libgomp-1.so",
		      &(struct elf_make){ .soname = "libgomp-1.so" });
	assert_true(looks(&scene, "/w/bin/python3.11", NULL, "/work"));
	assert_int_equal(scene.found.kind, OPENMP_GNU);
	assert_null(scene.found.path);
	assert_non_null(scene.found.nobody);
	assert_int_equal(scene.found.second, OPENMP_ANY);
}

static void the_answer_is_remembered_whole(void **state)
{
	cleanup_scene struct scene scene;
	cleanup_openmp_found struct openmp_found first = { .kind = OPENMP_ANY };

	(void)state;
	make_machine(&scene);
	tree_make_elf(scene.tree, DIST "/xgboost/lib/libxgboost.so", &(struct elf_make){ .needed = { "libomp.so.5" } });
	assert_true(looks_for_python(&scene));
	first = scene.found;
	scene.found = (struct openmp_found){ .kind = OPENMP_ANY };
	assert_false(looks_for_python(&scene));
	assert_int_equal(scene.found.kind, first.kind);
	assert_int_equal(scene.found.second, first.second);
	assert_int_equal(scene.found.at_start, first.at_start);
	assert_string_equal(scene.found.path, first.path);
	assert_string_equal(scene.found.program, first.program);
	assert_string_equal(scene.found.second_path, first.second_path);
	assert_string_equal(scene.found.second_by, first.second_by);
	assert_null(scene.found.nobody);
	for (unsigned i = OPENMP_GNU; i < OPENMP_KIND_COUNT; i++) {
		assert_string_equal(scene.found.candidates[i].path, first.candidates[i].path);
		assert_null(scene.found.candidates[i].why_not);
	}
}

/* Each step changes one thing that the search went by; the start after it is by the new answer, from memory. */
static void any_change_of_what_was_looked_at_makes_it_look_again(void **state)
{
	cleanup_scene struct scene scene;
	cleanup_free char *gone = NULL;

	(void)state;
	make_machine(&scene);
	assert_true(looks_for_python(&scene));
	assert_false(looks_for_python(&scene));
	/* Something that was not there. */
	tree_make_elf(scene.tree, DIST "/xgboost/lib/libxgboost.so", &(struct elf_make){ .needed = { "libomp.so.5" } });
	assert_true(looks_for_python(&scene));
	assert_int_equal(scene.found.second, OPENMP_LLVM);
	assert_false(looks_for_python(&scene));
	/* A file that is another now. */
	tree_make_elf(scene.tree, DIST "/torch/lib/libgomp.so.1", &(struct elf_make){ .soname = "libomp.so" });
	assert_true(looks_for_python(&scene));
	assert_int_equal(scene.found.kind, OPENMP_LLVM);
	assert_false(looks_for_python(&scene));
	/* One that is gone. */
	assert_true(asprintf(&gone, "%s/v/lib/libiomp5.so", scene.tree) > 0);
	assert_int_equal(unlink(gone), 0);
	assert_true(looks_for_python(&scene));
	assert_null(scene.found.candidates[OPENMP_INTEL].path);
	assert_false(looks_for_python(&scene));
	tree_make_text(scene.tree, "/v/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\nx = y\n");
	assert_true(looks_for_python(&scene));
	/* Other questions. */
	assert_true(looks(&scene, "/v/bin/python3.11", "LD_LIBRARY_PATH=/x", "/work"));
	assert_true(looks(&scene, "/v/bin/python3.11", "PYTHONPATH=/x", "/work"));
	assert_true(looks(&scene, "/v/bin/python3.11", NULL, "/elsewhere"));
	assert_false(looks(&scene, "/v/bin/python3.11", "EDITOR=ed", "/elsewhere"));
}

static void without_a_folder_nothing_is_kept(void **state)
{
	cleanup_scene struct scene scene;

	(void)state;
	make_machine(&scene);
	tree_remove(scene.cache);
	scene.cache = NULL;
	assert_true(looks_for_python(&scene));
	assert_true(looks_for_python(&scene));
	scene.cache = tree_make();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kind_is_told_from_the_soname_before_the_files_name),
		cmocka_unit_test(the_nearest_of_each_kind_can_be_had),
		cmocka_unit_test(a_second_kind_is_named_with_who_loads_it),
		cmocka_unit_test(several_copies_of_one_kind_are_that_kind),
		cmocka_unit_test(the_answer_is_remembered_whole),
		cmocka_unit_test(any_change_of_what_was_looked_at_makes_it_look_again),
		cmocka_unit_test(without_a_folder_nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
