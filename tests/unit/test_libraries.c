/* SPDX-License-Identifier: Apache-2.0 */
/* Which libraries a program could load, and which is in charge: prepared trees, then this machine's own. */
#include "base/cleanup.h"
#include "base/err.h"
#include "elf_make.h"
#include "target/libraries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <string.h>

#define LINUX_LOADER "/lib64/ld-linux-x86-64.so.2"
#define DIST         "/v/lib/python3.11/site-packages"

static void names_mean_libraries_whatever_their_version(void **state)
{
	static const struct {
		const char *file, *name; /* NULL: none that we know */
		enum library_family family;
	} rows[] = {
		{ "libgomp.so.1", "libgomp", LIBRARY_OPENMP },
		{ "libgomp.so.1.0.0", "libgomp", LIBRARY_OPENMP },
		{ "libgomp-a34b3233.so.1.0.0", "libgomp", LIBRARY_OPENMP },
		{ "libomp.so", "libomp", LIBRARY_OPENMP },
		{ "libomp-14.so.5", "libomp", LIBRARY_OPENMP },
		{ "libiomp5.so", "libiomp5", LIBRARY_OPENMP },
		{ "libiomp5_db.so", NULL, LIBRARY_OPENMP },
		{ "libiompstubs5.so", NULL, LIBRARY_OPENMP },
		{ "libomptarget.so", NULL, LIBRARY_OPENMP },
		{ "libtcmalloc.so.4", "tcmalloc", LIBRARY_ALLOCATOR },
		{ "libtcmalloc_minimal.so.4.5.10", "tcmalloc_minimal", LIBRARY_ALLOCATOR },
		{ "libtcmalloc_minimal_debug.so.4", NULL, LIBRARY_ALLOCATOR },
		{ "libjemalloc.so.2", "jemalloc", LIBRARY_ALLOCATOR },
		{ "libjemalloc.a", NULL, LIBRARY_ALLOCATOR },
		{ "libmimalloc-secure.so.2.0", "mimalloc", LIBRARY_ALLOCATOR },
		{ "libmimalloc-debug.so.2", NULL, LIBRARY_ALLOCATOR },
		{ "libdnnl.so.3", "dnnl", LIBRARY_ONEDNN },
		{ "libopenblasp-r0.3.21.so", "openblas", LIBRARY_BLAS },
		{ "libscipy_openblas64_-32a4b2a6.so", "openblas", LIBRARY_BLAS },
		{ "libmkl_rt.so.2", "mkl_rt", LIBRARY_BLAS },
		{ "libblis-mt.so.4", "blis", LIBRARY_BLAS },
		{ "libgomp.so.1.dbg", NULL, LIBRARY_OPENMP },
		{ "libgomp.spec", NULL, LIBRARY_OPENMP },
		{ "", NULL, LIBRARY_OPENMP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct library_name *name = library_name_find(rows[i].file);

		assert_true(!name == !rows[i].name);
		if (!name)
			continue;
		assert_string_equal(name->name, rows[i].name);
		assert_int_equal(name->family, rows[i].family);
	}
}

/* A tree, and what was found in it. */
struct scene {
	char *tree;
	struct sysroot root;
	struct libraries *libraries;
};

static void scene_clear(struct scene *scene)
{
	libraries_free(scene->libraries);
	sysroot_close(&scene->root);
	tree_remove(scene->tree);
}
#define cleanup_scene cleanup_(scene_clear)

static void read_it(struct scene *scene, const char *program, const char *const *environment)
{
	struct libraries_request request = { .program = program, .environment = environment, .folder = "/work" };
	struct err err = { 0 };

	if (scene->root.fd < 0)
		assert_int_equal(sysroot_open(&scene->root, scene->tree, &err), 0);
	request.root = &scene->root;
	libraries_free(TAKE(scene->libraries));
	if (libraries_read(&request, &scene->libraries, &err) < 0)
		fail_msg("%s: %s", program, err.text);
}

static const struct library *library_at(const struct scene *scene, const char *path)
{
	for (size_t i = 0; i < scene->libraries->count; i++) {
		if (strcmp(scene->libraries->items[i].path, path) == 0)
			return &scene->libraries->items[i];
	}
	return NULL;
}

static const struct library *in_charge(const struct scene *scene, enum library_family family)
{
	const struct library *found = NULL;

	for (size_t i = 0; i < scene->libraries->count; i++) {
		const struct library *library = &scene->libraries->items[i];

		if (library->family != family || !library->in_charge)
			continue;
		assert_null(found); /* never two */
		found = library;
	}
	assert_true(!found == !!scene->libraries->nobody[family]);
	return found;
}

/* A Debian with a C library, libgomp, allocators, and a venv's Python. */
static void make_machine(struct scene *scene)
{
	static const char *const cached[] = { "libjemalloc.so.2",
					      "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
					      "libgomp.so.1",
					      "/usr/lib/x86_64-linux-gnu/libgomp.so.1",
					      "libc.so.6",
					      "/usr/lib/x86_64-linux-gnu/libc.so.6",
					      "libtcmalloc.so.4",
					      "/usr/lib/x86_64-linux-gnu/libtcmalloc.so.4",
					      NULL };

	scene->root = (struct sysroot)SYSROOT_INIT;
	scene->tree = tree_make();
	tree_make_cache(scene->tree, cached, false);
	tree_make_elf(scene->tree, cached[1], &(struct elf_make){ .soname = cached[0], .needed = { "libc.so.6" } });
	tree_make_elf(scene->tree, cached[3], &(struct elf_make){ .soname = cached[2], .needed = { "libc.so.6" } });
	tree_make_elf(scene->tree, cached[5], &(struct elf_make){ .soname = cached[4] });
	tree_make_elf(scene->tree, cached[7],
		      &(struct elf_make){ .soname = cached[6], .needed = { "libunwind.so.8", "libc.so.6" } });
	tree_make_text(scene->tree, "/usr/lib/x86_64-linux-gnu/libjemalloc.so", "GROUP ( libjemalloc.so.2 )\n");
	tree_make_link(scene->tree, "/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0", "libgomp.so.1");
	tree_make_elf(scene->tree, "/v/bin/python3.11",
		      &(struct elf_make){ .interpreter = LINUX_LOADER, .needed = { "libc.so.6" } });
	tree_make_text(scene->tree, "/v/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n");
	tree_make_folder(scene->tree, DIST);
}

/* torch as its wheel is: _C leads through RUNPATHs to the libgomp beside libtorch_cpu. */
static void add_torch(const struct scene *scene)
{
	tree_make_elf(scene->tree, DIST "/torch/_C.cpython-311-x86_64-linux-gnu.so",
		      &(struct elf_make){ .runpath = "$ORIGIN:$ORIGIN/lib", .needed = { "libtorch_cpu.so" } });
	tree_make_elf(
		scene->tree, DIST "/torch/lib/libtorch_cpu.so",
		&(struct elf_make){ .soname = "libtorch_cpu.so", .runpath = "$ORIGIN", .needed = { "libgomp.so.1" } });
	tree_make_elf(scene->tree, DIST "/torch/lib/libgomp.so.1",
		      &(struct elf_make){ .soname = "libgomp.so.1", .needed = { "libc.so.6" } });
}

static void add_sklearn(const struct scene *scene)
{
	tree_make_elf(scene->tree, DIST "/sklearn/utils/_openmp_helpers.cpython-311-x86_64-linux-gnu.so",
		      &(struct elf_make){ .rpath = "$ORIGIN/../../scikit_learn.libs",
					  .needed = { "libgomp-a1b2.so.1.0.0" } });
	tree_make_elf(scene->tree, DIST "/scikit_learn.libs/libgomp-a1b2.so.1.0.0",
		      &(struct elf_make){ .soname = "libgomp-a1b2.so.1.0.0", .needed = { "libc.so.6" } });
}

static void the_loader_finds_what_is_installed(void **state)
{
	cleanup_scene struct scene scene = { .tree = NULL };
	const struct library *library;

	(void)state;
	make_machine(&scene);
	read_it(&scene, NULL, NULL);
	/* One row a file, by the name it is asked for; texts for the linker are no libraries. */
	assert_int_equal(scene.libraries->count, 3);
	library = library_at(&scene, "/usr/lib/x86_64-linux-gnu/libgomp.so.1");
	assert_non_null(library);
	assert_string_equal(library->soname, "libgomp.so.1");
	assert_string_equal(library->found, "/etc/ld.so.cache");
	assert_int_equal(library->place, LIBRARY_LOADER);
	assert_true(library->usable && !library->in_charge && !library->loaded_by);
	library = library_at(&scene, "/usr/lib/x86_64-linux-gnu/libtcmalloc.so.4");
	assert_false(library->usable);
	assert_string_equal(library->why_not, "libtcmalloc.so.4 needs libunwind.so.8, which is not found");
	assert_null(in_charge(&scene, LIBRARY_OPENMP));
}

static void a_wheels_own_runtime_is_in_charge(void **state)
{
	cleanup_scene struct scene scene = { .tree = NULL };
	const struct library *library;

	(void)state;
	make_machine(&scene);
	add_torch(&scene);
	add_sklearn(&scene);
	read_it(&scene, "/v/bin/python3.11", NULL);
	library = in_charge(&scene, LIBRARY_OPENMP);
	assert_string_equal(library->path, DIST "/torch/lib/libgomp.so.1");
	assert_string_equal(library->loaded_by, "torch");
	assert_string_equal(library->package, "torch");
	assert_int_equal(library->place, LIBRARY_PACKAGE);
	/* The other packages' copies and the system's are there all the same. */
	library = library_at(&scene, DIST "/scikit_learn.libs/libgomp-a1b2.so.1.0.0");
	assert_string_equal(library->loaded_by, "sklearn");
	assert_string_equal(library->package, "scikit_learn");
	library = library_at(&scene, "/usr/lib/x86_64-linux-gnu/libgomp.so.1");
	assert_true(library->usable && !library->loaded_by);
	assert_null(in_charge(&scene, LIBRARY_ALLOCATOR));
	assert_non_null(strstr(scene.libraries->nobody[LIBRARY_ALLOCATOR], "malloc is the C library's"));
}

static void condas_torch_takes_the_environments_runtime(void **state)
{
	cleanup_scene struct scene scene = { .tree = NULL };
	const struct library *library;

	(void)state;
	make_machine(&scene);
	tree_make_elf(scene.tree, "/conda/bin/python3.11", &(struct elf_make){ .interpreter = LINUX_LOADER });
	tree_make_folder(scene.tree, "/conda/conda-meta");
	tree_make_elf(scene.tree, "/conda/lib/libiomp5.so", &(struct elf_make){ .soname = "libiomp5.so" });
	tree_make_link(scene.tree, "/conda/lib/libgomp.so.1", "libiomp5.so");
	tree_make_elf(scene.tree, "/conda/lib/python3.11/site-packages/torch/_C.cpython-311-x86_64-linux-gnu.so",
		      &(struct elf_make){ .rpath = "$ORIGIN/lib", .needed = { "libtorch_cpu.so" } });
	tree_make_elf(scene.tree, "/conda/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so",
		      &(struct elf_make){ .rpath = "$ORIGIN:$ORIGIN/../../../..", .needed = { "libgomp.so.1" } });
	read_it(&scene, "/conda/bin/python3.11", NULL);
	library = in_charge(&scene, LIBRARY_OPENMP);
	/* "libgomp.so.1" is a link there; the file's soname says what it is. */
	assert_string_equal(library->path, "/conda/lib/libiomp5.so");
	assert_string_equal(library->name, "libiomp5");
	assert_string_equal(library->loaded_by, "torch");
	assert_int_equal(library->place, LIBRARY_ENVIRONMENT);
}

static void without_a_framework_one_package_decides_and_two_do_not(void **state)
{
	cleanup_scene struct scene scene = { .tree = NULL };

	(void)state;
	make_machine(&scene);
	read_it(&scene, "/v/bin/python3.11", NULL);
	assert_null(in_charge(&scene, LIBRARY_OPENMP));
	add_sklearn(&scene);
	read_it(&scene, "/v/bin/python3.11", NULL);
	assert_string_equal(in_charge(&scene, LIBRARY_OPENMP)->loaded_by, "sklearn");
	/* lightgbm brings none and takes the system's. */
	tree_make_elf(scene.tree, DIST "/lightgbm/lib/lib_lightgbm.so",
		      &(struct elf_make){ .needed = { "libgomp.so.1" } });
	read_it(&scene, "/v/bin/python3.11", NULL);
	assert_null(in_charge(&scene, LIBRARY_OPENMP));
	assert_non_null(strstr(scene.libraries->nobody[LIBRARY_OPENMP], "different ones"));
	assert_string_equal(library_at(&scene, "/usr/lib/x86_64-linux-gnu/libgomp.so.1")->loaded_by, "lightgbm");
}

static void a_preload_is_in_charge_before_all(void **state)
{
	static const char *const environment[] = { "LD_PRELOAD=libjemalloc.so.2:/v/lib/libiomp5.so nothing.so", NULL };
	cleanup_scene struct scene scene = { .tree = NULL };
	const struct library *library;

	(void)state;
	make_machine(&scene);
	add_torch(&scene);
	tree_make_elf(scene.tree, "/v/lib/libiomp5.so", &(struct elf_make){ .soname = "libiomp5.so" });
	read_it(&scene, "/v/bin/python3.11", NULL);
	library = library_at(&scene, "/v/lib/libiomp5.so");
	assert_int_equal(library->place, LIBRARY_ENVIRONMENT);
	assert_string_equal(library->found, "/v/lib");
	assert_true(library->usable && !library->in_charge);
	read_it(&scene, "/v/bin/python3.11", environment);
	library = in_charge(&scene, LIBRARY_OPENMP);
	assert_string_equal(library->path, "/v/lib/libiomp5.so");
	assert_int_equal(library->place, LIBRARY_PRELOADED);
	assert_string_equal(library->loaded_by, "LD_PRELOAD");
	assert_string_equal(in_charge(&scene, LIBRARY_ALLOCATOR)->name, "jemalloc");
	/* torch's own is still mapped. */
	assert_string_equal(library_at(&scene, DIST "/torch/lib/libgomp.so.1")->loaded_by, "torch");
}

static void a_preload_of_the_same_soname_takes_the_wheels_place(void **state)
{
	static const char *const environment[] = { "LD_PRELOAD=libgomp.so.1", NULL };
	cleanup_scene struct scene scene = { .tree = NULL };

	(void)state;
	make_machine(&scene);
	add_torch(&scene);
	read_it(&scene, "/v/bin/python3.11", environment);
	assert_string_equal(in_charge(&scene, LIBRARY_OPENMP)->path, "/usr/lib/x86_64-linux-gnu/libgomp.so.1");
	assert_null(library_at(&scene, DIST "/torch/lib/libgomp.so.1")->loaded_by);
}

static void a_program_that_is_linked_with_one_is_told(void **state)
{
	static const char *const environment[] = { "LD_LIBRARY_PATH=/env", NULL };
	cleanup_scene struct scene scene = { .tree = NULL };
	const struct library *library;

	(void)state;
	make_machine(&scene);
	tree_make_elf(scene.tree, "/app/bin/prog",
		      &(struct elf_make){ .interpreter = LINUX_LOADER,
					  .runpath = "$ORIGIN/../lib",
					  .needed = { "libwork.so", "libc.so.6" } });
	tree_make_elf(scene.tree, "/app/lib/libwork.so",
		      &(struct elf_make){ .runpath = "$ORIGIN", .needed = { "libomp.so" } });
	tree_make_elf(scene.tree, "/app/lib/libomp.so", &(struct elf_make){ .soname = "libomp.so" });
	tree_make_link(scene.tree, "/usr/bin/prog", "../../app/bin/prog");
	tree_make_elf(scene.tree, "/env/libgomp.so.1", &(struct elf_make){ .soname = "libgomp.so.1" });
	read_it(&scene, "/usr/bin/prog", environment);
	library = in_charge(&scene, LIBRARY_OPENMP);
	assert_string_equal(library->soname, "libomp.so");
	assert_string_equal(library->found, "RUNPATH of libwork.so");
	assert_string_equal(library->loaded_by, "program");
	assert_int_equal(library->place, LIBRARY_PROGRAM);
	assert_string_equal(library_at(&scene, "/env/libgomp.so.1")->found, "LD_LIBRARY_PATH");
	assert_null(scene.libraries->python);
}

static void what_does_not_fit_says_why(void **state)
{
	static const char *const environment[] = { "LD_LIBRARY_PATH=/env", NULL };
	cleanup_scene struct scene scene = { .tree = NULL };

	(void)state;
	make_machine(&scene);
	tree_make_elf(scene.tree, "/env/libomp.so.5",
		      &(struct elf_make){ .machine = EM_AARCH64, .soname = "libomp.so.5" });
	tree_make_elf(scene.tree, "/env/libmimalloc.so.2",
		      &(struct elf_make){ .class = 32, .machine = EM_386, .soname = "libmimalloc.so.2" });
	tree_make_elf(scene.tree, "/env/libdnnl.so.3",
		      &(struct elf_make){ .soname = "libdnnl.so.3", .needed = { "libc.so" } });
	read_it(&scene, "/v/bin/python3.11", environment);
	assert_string_equal(library_at(&scene, "/env/libomp.so.5")->why_not, "is for aarch64, the program for x86-64");
	assert_string_equal(library_at(&scene, "/env/libmimalloc.so.2")->why_not,
			    "is for i386, the program for x86-64");
	assert_string_equal(library_at(&scene, "/env/libdnnl.so.3")->why_not,
			    "needs musl, the program's C library is glibc");
	/* The same libraries in front of an Arm program, a musl program and a static one. */
	tree_make_elf(scene.tree, "/bin/arm",
		      &(struct elf_make){ .machine = EM_AARCH64, .interpreter = "/lib/ld-linux-aarch64.so.1" });
	read_it(&scene, "/bin/arm", environment);
	assert_true(library_at(&scene, "/env/libomp.so.5")->usable);
	assert_string_equal(library_at(&scene, "/env/libdnnl.so.3")->why_not, "is for x86-64, the program for aarch64");
	tree_make_elf(scene.tree, "/bin/musl", &(struct elf_make){ .interpreter = "/lib/ld-musl-x86_64.so.1" });
	read_it(&scene, "/bin/musl", environment);
	assert_true(library_at(&scene, "/env/libdnnl.so.3")->usable);
	assert_null(library_at(&scene, "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"));
	tree_make_elf(scene.tree, "/env/libjemalloc.so.2", &(struct elf_make){ .needed = { "libc.so.6" } });
	read_it(&scene, "/bin/musl", environment);
	assert_string_equal(library_at(&scene, "/env/libjemalloc.so.2")->why_not,
			    "needs glibc, the program's C library is musl");
}

/* The loader gives up at "/env/libgomp.so.1", a folder, before it comes to the system's. */
static void what_stops_the_loader_leaves_nobody_in_charge(void **state)
{
	static const char *const environment[] = { "LD_LIBRARY_PATH=/env", NULL };
	cleanup_scene struct scene scene = { .tree = NULL };
	const struct library *library;
	const struct library_stop *stop;
	json_t *of;

	(void)state;
	make_machine(&scene);
	tree_make_folder(scene.tree, "/env/libgomp.so.1");
	tree_make_elf(scene.tree, "/bin/prog",
		      &(struct elf_make){ .interpreter = LINUX_LOADER, .needed = { "libgomp.so.1" } });
	read_it(&scene, "/bin/prog", NULL);
	assert_non_null(in_charge(&scene, LIBRARY_OPENMP));
	assert_int_equal(scene.libraries->stop_count, 0);
	read_it(&scene, "/bin/prog", environment);
	assert_null(in_charge(&scene, LIBRARY_OPENMP));
	assert_string_equal(scene.libraries->nobody[LIBRARY_OPENMP],
			    "the loader looks for libgomp.so.1 and stops at '/env/libgomp.so.1', which is a folder");
	/* It does not start at all. */
	assert_null(in_charge(&scene, LIBRARY_ALLOCATOR));
	assert_int_equal(scene.libraries->stop_count, 1);
	stop = scene.libraries->stops;
	assert_string_equal(stop->path, "/env/libgomp.so.1");
	assert_string_equal(stop->needed_by, "prog");
	assert_string_equal(stop->what_then, "the program does not start");
	library = library_at(&scene, "/usr/lib/x86_64-linux-gnu/libgomp.so.1");
	assert_true(library->usable && !library->loaded_by);
	of = libraries_of_to_json(scene.libraries);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(of, "stopped_at"), 0), "path")),
		"/env/libgomp.so.1");
	json_decref(of);
}

static void an_import_that_fails_loads_nothing(void **state)
{
	static const char *const environment[] = { "LD_LIBRARY_PATH=/env", NULL };
	cleanup_scene struct scene scene = { .tree = NULL };

	(void)state;
	make_machine(&scene);
	add_torch(&scene);
	add_sklearn(&scene);
	tree_make_text(scene.tree, "/env/libtorch_cpu.so", "GROUP ( libtorch.so )\n");
	/* RUNPATH is searched after LD_LIBRARY_PATH. */
	read_it(&scene, "/v/bin/python3.11", environment);
	assert_null(in_charge(&scene, LIBRARY_OPENMP));
	assert_non_null(strstr(scene.libraries->nobody[LIBRARY_OPENMP], "/env/libtorch_cpu.so"));
	assert_string_equal(scene.libraries->stops[0].what_then, "'import torch' fails");
	assert_null(library_at(&scene, DIST "/torch/lib/libgomp.so.1")->loaded_by);
	assert_non_null(strstr(scene.libraries->nobody[LIBRARY_ALLOCATOR], "malloc is the C library's"));
}

static void a_preload_that_stops_the_loader_is_left_out(void **state)
{
	static const char *const environment[] = { "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so:libgomp.so.1",
						   NULL };
	cleanup_scene struct scene scene = { .tree = NULL };

	(void)state;
	make_machine(&scene);
	read_it(&scene, "/v/bin/python3.11", environment);
	assert_string_equal(in_charge(&scene, LIBRARY_OPENMP)->loaded_by, "LD_PRELOAD");
	assert_null(in_charge(&scene, LIBRARY_ALLOCATOR));
	assert_non_null(strstr(scene.libraries->nobody[LIBRARY_ALLOCATOR], "libjemalloc.so', which is too short"));
	assert_string_equal(scene.libraries->stops[0].what_then, "the preload is left out");
}

static void without_a_cache_configured_folders_are_for_paths_only(void **state)
{
	cleanup_scene struct scene scene = { .tree = tree_make(), .root = SYSROOT_INIT };
	const struct library *library;
	json_t *of;

	(void)state;
	tree_make_text(scene.tree, "/etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n");
	tree_make_text(scene.tree, "/etc/ld.so.conf.d/opt.conf", "/opt/lib\n");
	tree_make_elf(scene.tree, "/opt/lib/libomp.so", &(struct elf_make){ .soname = "libomp.so" });
	read_it(&scene, NULL, NULL);
	library = library_at(&scene, "/opt/lib/libomp.so");
	assert_non_null(library);
	assert_string_equal(library->found, "/etc/ld.so.conf, without a cache: by path only");
	assert_false(scene.libraries->cache_broken);
	tree_make_text(scene.tree, "/etc/ld.so.cache", "rubbish");
	read_it(&scene, NULL, NULL);
	assert_true(scene.libraries->cache_broken);
	assert_int_equal(scene.libraries->count, 1);
	of = libraries_of_to_json(scene.libraries);
	assert_int_equal(json_array_size(json_object_get(of, "unknown")), 1);
	json_decref(of);
}

static void a_large_folder_of_packages_is_not_walked(void **state)
{
	cleanup_scene struct scene scene = { .tree = NULL };

	(void)state;
	make_machine(&scene);
	add_torch(&scene);
	/* Libraries deep in packages that are in no table stay unseen; so do those of NVIDIA's. */
	tree_make_elf(scene.tree, DIST "/other/deep/libomp.so", &(struct elf_make){ .soname = "libomp.so" });
	tree_make_elf(scene.tree, DIST "/nvidia/lib/libomp.so", &(struct elf_make){ .soname = "libomp.so" });
	for (unsigned i = 0; i < 300; i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), DIST "/package%u.dist-info", i);
		tree_make_folder(scene.tree, path);
	}
	read_it(&scene, "/v/bin/python3.11", NULL);
	assert_non_null(in_charge(&scene, LIBRARY_OPENMP));
	assert_null(library_at(&scene, DIST "/other/deep/libomp.so"));
	assert_null(library_at(&scene, DIST "/nvidia/lib/libomp.so"));
}

static void the_documents_say_for_whom_and_why(void **state)
{
	cleanup_scene struct scene scene = { .tree = NULL };
	json_t *array, *of;
	const json_t *first;

	(void)state;
	make_machine(&scene);
	add_torch(&scene);
	read_it(&scene, "/v/bin/python3.11", NULL);
	array = libraries_to_json(scene.libraries);
	of = libraries_of_to_json(scene.libraries);
	first = json_array_get(array, 0);
	assert_string_equal(json_string_value(json_object_get(first, "family")), "openmp");
	assert_string_equal(json_string_value(json_object_get(first, "name")), "libgomp");
	assert_string_equal(json_string_value(json_object_get(first, "place")), "package");
	assert_true(json_is_true(json_object_get(first, "usable")));
	assert_true(json_is_true(json_object_get(first, "in_charge")));
	assert_true(json_is_null(json_object_get(first, "why_not")));
	assert_string_equal(json_string_value(json_object_get(of, "program")), "/v/bin/python3.11");
	assert_string_equal(json_string_value(json_object_get(json_object_get(of, "python"), "kind")), "venv");
	assert_string_equal(json_string_value(json_object_get(json_object_get(of, "in_charge"), "openmp")),
			    DIST "/torch/lib/libgomp.so.1");
	assert_true(json_is_null(json_object_get(json_object_get(of, "in_charge"), "allocator")));
	json_decref(array);
	json_decref(of);
}

static void what_dpkg_installed_is_found(void **state)
{
	static const char *const sonames[] = { "libgomp.so.1",     "libjemalloc.so.2", "libtcmalloc_minimal.so.4",
					       "libmimalloc.so.2", "libomp.so.5",      "libdnnl.so.2",
					       "libopenblas.so.0" };
	cleanup_scene struct scene scene = { .tree = NULL, .root = SYSROOT_INIT };
	struct libraries_request request = { .folder = "/" };
	struct err err = { 0 };
	unsigned installed = 0;

	(void)state;
	assert_int_equal(sysroot_open(&scene.root, "/", &err), 0);
	request.root = &scene.root;
	assert_int_equal(libraries_read(&request, &scene.libraries, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sonames); i++) {
		char path[128];
		bool found = false;

		(void)snprintf(path, sizeof(path), "/usr/lib/x86_64-linux-gnu/%s", sonames[i]);
		if (access(path, R_OK) < 0)
			continue;
		installed++;
		for (size_t l = 0; l < scene.libraries->count; l++) {
			const struct library *library = &scene.libraries->items[l];

			found = found ||
				(library->soname && strcmp(library->soname, sonames[i]) == 0 && library->usable);
		}
		if (!found)
			fail_msg("%s is installed and not found", sonames[i]);
	}
	print_message("# %u installed here\n", installed);
	if (!installed)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_mean_libraries_whatever_their_version),
		cmocka_unit_test(the_loader_finds_what_is_installed),
		cmocka_unit_test(a_wheels_own_runtime_is_in_charge),
		cmocka_unit_test(condas_torch_takes_the_environments_runtime),
		cmocka_unit_test(without_a_framework_one_package_decides_and_two_do_not),
		cmocka_unit_test(a_preload_is_in_charge_before_all),
		cmocka_unit_test(a_preload_of_the_same_soname_takes_the_wheels_place),
		cmocka_unit_test(a_program_that_is_linked_with_one_is_told),
		cmocka_unit_test(what_does_not_fit_says_why),
		cmocka_unit_test(what_stops_the_loader_leaves_nobody_in_charge),
		cmocka_unit_test(an_import_that_fails_loads_nothing),
		cmocka_unit_test(a_preload_that_stops_the_loader_is_left_out),
		cmocka_unit_test(without_a_cache_configured_folders_are_for_paths_only),
		cmocka_unit_test(a_large_folder_of_packages_is_not_walked),
		cmocka_unit_test(the_documents_say_for_whom_and_why),
		cmocka_unit_test(what_dpkg_installed_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
