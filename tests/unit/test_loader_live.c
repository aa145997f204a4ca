/* SPDX-License-Identifier: Apache-2.0 */
/* Our answer against that of this machine's real loader, which lists what it would load ("ld.so --list"). */
#include "base/cleanup.h"
#include "base/err.h"
#include "elf_make.h"
#include "target/image.h"
#include "target/libraries.h"
#include "target/loader.h"
#include "target/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>
#include <sys/wait.h>

static char *tree;

/* Run a line of a shell with `T` set to the tree; true when it ends well. */
static bool shell(const char *line)
{
	char whole[4096];

	assert_true(snprintf(whole, sizeof(whole), "T=%s; exec >/dev/null 2>&1; set -e; %s", tree, line) <
		    (int)sizeof(whole));
	return system(whole) == 0; /* NOLINT(cert-env33-c): fixed lines of this test */
}

/* What the real loader lists: "name => path" in its order, a line each. Empty: it refuses. */
static void list_really(const char *program, const char *library_path, struct words *paths)
{
	char line[4096], path[4000];
	FILE *listing;

	assert_true(snprintf(line, sizeof(line), "env -i LD_TRACE_LOADED_OBJECTS=1 %s%s %s 2>/dev/null",
			     library_path ? "LD_LIBRARY_PATH=" : "", library_path ? library_path : "",
			     program) < (int)sizeof(line));
	listing = popen(line, "re"); /* NOLINT(cert-env33-c): fixed lines of this test */
	assert_non_null(listing);
	while (fgets(line, sizeof(line), listing)) {
		if (sscanf(line, "%*s => %3999s (", path) == 1 && *path == '/')
			assert_int_equal(words_add(paths, path), 0);
	}
	(void)pclose(listing);
}

/* The program's image is what its loader maps, in the same order. Returns how many libraries that are. */
static size_t assert_same(const char *path, const char *library_path)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_program struct program program = { .path = NULL };
	cleanup_loader struct loader loader = { .root = NULL };
	cleanup_image struct image image = { .loader = NULL };
	cleanup_words struct words real = { 0 };
	struct loader_program of = { .path = NULL };
	struct err err = { 0 };

	assert_int_equal(sysroot_open(&root, "/", &err), 0);
	assert_int_equal(program_follow(&root, path, NULL, "/", &program, &err), 0);
	of = (struct loader_program){ program.path, program.libc, program.machine, program.class, program.big, false };
	assert_int_equal(loader_init(&loader, &root, &of, library_path, "/", &err), 0);
	assert_int_equal(image_start(&image, &loader, "program"), 0);
	assert_int_equal(image_fill(&image, 0, NULL), 0);
	list_really(program.path, library_path, &real);
	for (size_t i = 0; i < real.count || i + 1 < image.count; i++) {
		const char *ours = i + 1 < image.count ? image.objects[i + 1]->file.path : "nothing";
		const char *its = i < real.count ? real.items[i] : "nothing";

		if (strcmp(ours, its) != 0)
			fail_msg("%s, library %zu: we say %s, its loader says %s", path, i, ours, its);
	}
	return real.count;
}

static void programs_of_this_machine_load_what_we_say(void **state)
{
	static const char *const programs[] = {
		"/bin/true",      "/bin/bash",     "/usr/bin/python3",
		"/usr/bin/gdb",   "/usr/bin/git",  "/usr/bin/clang",
		"/usr/bin/cmake", "/usr/bin/curl", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1"
	};
	size_t libraries = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		if (access(programs[i], X_OK) == 0)
			libraries += assert_same(programs[i], NULL);
	}
	print_message("# %zu libraries\n", libraries);
	assert_true(libraries > 2);
}

/* Programs and libraries that find each other in every way there is. */
static bool build_tree(void)
{
	return shell(
		"mkdir -p $T/a $T/b $T/c $T/deep/d; cd $T;"
		"echo 'int x(void) { return 1; }' > x.c; echo 'int x(void); int y(void) { return x(); }' > y.c;"
		"echo 'int y(void); int main(void) { return y(); }' > m.c;"
		"for f in a b c deep/d; do gcc -shared -fPIC -Wl,-soname,libx.so.1 x.c -o $f/libx.so.1; done;"
		"y() { out=$1; shift; gcc -shared -fPIC -Wl,-soname,liby.so.1 y.c -L$T/a -l:libx.so.1 -o $out \"$@\"; "
		"};"
		"y a/liby.so.1; y b/liby.so.1 -Wl,--enable-new-dtags,-rpath,'$ORIGIN/../deep/d';"
		"y c/liby.so.1 -Wl,--disable-new-dtags,-rpath,'$ORIGIN';"
		"m() { out=$1; shift; gcc m.c -L$T/a -l:liby.so.1 -Wl,--unresolved-symbols=ignore-all -o $out \"$@\"; "
		"};"
		"m plain; m rpath -Wl,--disable-new-dtags,-rpath,$T/a:$T/b; m runpath "
		"-Wl,--enable-new-dtags,-rpath,$T/a:$T/b;"
		"m to-b -Wl,--enable-new-dtags,-rpath,'$ORIGIN/b'; m to-c -Wl,--disable-new-dtags,-rpath,'${ORIGIN}/c';"
		"ln -s ../to-b deep/linked");
}

static void every_way_of_finding_a_library_is_the_loaders(void **state)
{
	static const char *const programs[] = { "plain", "rpath", "runpath", "to-b", "to-c", "deep/linked" };
	static const char *const folders[][2] = {
		{ "", "" }, { "a", "none" }, { "b", "c" }, { "c", "b" }, { "deep/d", "a" }
	};
	size_t libraries = 0;

	(void)state;
	if (!build_tree()) {
		print_message("# no gcc here\n");
		skip();
	}
	for (size_t p = 0; p < ARRAY_SIZE(programs); p++) {
		for (size_t s = 0; s < ARRAY_SIZE(folders); s++) {
			char path[PATH_MAX], search_path[PATH_MAX];

			(void)snprintf(path, sizeof(path), "%s/%s", tree, programs[p]);
			(void)snprintf(search_path, sizeof(search_path), "%s/%s:%s/%s", tree, folders[s][0], tree,
				       folders[s][1]);
			libraries += assert_same(path, s ? search_path : NULL);
		}
	}
	/* Most of them find both libraries and libc. */
	assert_true(libraries > 60);
}

/* libomp.so.5 needs V_2 of libdep.so.1; one folder has a libdep with it, one without. */
static bool build_versions(void)
{
	return shell("mkdir -p $T/v/old $T/v/new; cd $T/v; echo 'V_1 { f; };' > 1.map; echo 'V_1 { f; }; V_2 { g; } "
		     "V_1;' > 2.map;"
		     "echo 'int f(void) { return 1; } int g(void) { return 2; }' > dep.c;"
		     "echo 'int g(void); int h(void) { return g(); }' > omp.c;"
		     "gcc -shared -fPIC dep.c -Wl,-soname,libdep.so.1,--version-script,1.map -o old/libdep.so.1;"
		     "gcc -shared -fPIC dep.c -Wl,-soname,libdep.so.1,--version-script,2.map -o new/libdep.so.1;"
		     "gcc -shared -fPIC omp.c -Wl,-soname,libomp.so.5 new/libdep.so.1 -o libomp.so.5");
}

static void a_version_that_is_missing_makes_a_library_unusable_as_it_does_for_the_loader(void **state)
{
	static const char *const folders[] = { "new", "old" };

	(void)state;
	if (!build_versions()) {
		print_message("# no gcc here\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		cleanup_sysroot struct sysroot root = SYSROOT_INIT;
		cleanup_libraries struct libraries *libraries = NULL;
		struct libraries_request request = { .root = &root, .folder = "/" };
		const struct library *library;
		char variable[PATH_MAX], line[PATH_MAX];
		const char *const environment[] = { variable, NULL };
		struct err err = { 0 };

		(void)snprintf(variable, sizeof(variable), "LD_LIBRARY_PATH=%s/v:%s/v/%s", tree, tree, folders[i]);
		(void)snprintf(line, sizeof(line), "LD_PRELOAD=$T/v/libomp.so.5 LD_LIBRARY_PATH=$T/v/%s /bin/true",
			       folders[i]);
		request.environment = environment;
		assert_int_equal(sysroot_open(&root, "/", &err), 0);
		assert_int_equal(libraries_read(&request, &libraries, &err), 0);
		library = libraries->items;
		while (library < libraries->items + libraries->count && strncmp(library->path, tree, strlen(tree)) != 0)
			library++;
		assert_true(library < libraries->items + libraries->count);
		assert_int_equal(library->usable, shell(line));
		assert_int_equal(library->usable, i == 0);
		if (!library->usable)
			assert_non_null(strstr(library->why_not, "libomp.so.5 needs V_2, which "));
	}
}

/* A file of every kind in the way of w/good/libx.so.1, which prints "good"; what the program does is the truth. */
static void what_stops_the_loader_stops_us(void **state)
{
	static const char *const obstacles[] = {
		"true",
		"mkdir libx.so.1",
		": >libx.so.1",
		"echo 'GROUP ( /x )' >libx.so.1",
		"yes 'GROUP ( /x )' | head -c 400 >libx.so.1",
		"head -c 500 ../good/libx.so.1 >libx.so.1",
		"cp ../good/libx.so.1 .; printf '\\1' | dd of=libx.so.1 bs=1 seek=4 conv=notrunc",    /* class */
		"cp ../good/libx.so.1 .; printf '\\2' | dd of=libx.so.1 bs=1 seek=5 conv=notrunc",    /* byte order */
		"cp ../good/libx.so.1 .; printf '\\125' | dd of=libx.so.1 bs=1 seek=18 conv=notrunc", /* machine */
		"ln -s /nowhere libx.so.1",
		"ln -s libx.so.1 libx.so.1",
		"ln -s /dev/null/x libx.so.1",
		"ln -s /dev/null libx.so.1",
		"mkfifo libx.so.1", /* the program waits until it is ended */
	};
	unsigned stopped = 0;

	(void)state;
	if (!shell("mkdir -p $T/w/good; cd $T/w; echo 'int x(void) { return 0; }' >x.c;"
		   "echo 'int x(void); int main(void) { return x(); }' >m.c;"
		   "gcc -shared -fPIC -Wl,-soname,libx.so.1 x.c -o good/libx.so.1; gcc m.c good/libx.so.1 -o m")) {
		print_message("# no gcc here\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(obstacles); i++) {
		cleanup_sysroot struct sysroot root = SYSROOT_INIT;
		cleanup_loader struct loader loader = { .root = NULL };
		cleanup_loader_file struct loader_file file = { .path = NULL };
		cleanup_program struct program program = { .path = NULL };
		struct loader_program of = { .path = NULL };
		char path[PATH_MAX], search_path[PATH_MAX], line[PATH_MAX];
		struct err err = { 0 };
		int r;

		(void)snprintf(path, sizeof(path), "%s/w/m", tree);
		(void)snprintf(search_path, sizeof(search_path), "%s/w/way:%s/w/good", tree, tree);
		(void)snprintf(line, sizeof(line), "rm -rf $T/w/way; mkdir $T/w/way; cd $T/w/way; %s", obstacles[i]);
		assert_true(shell(line));
		assert_int_equal(sysroot_open(&root, "/", &err), 0);
		assert_int_equal(program_follow(&root, path, NULL, "/", &program, &err), 0);
		of = (struct loader_program){ program.path,  program.libc, program.machine,
					      program.class, program.big,  false };
		assert_int_equal(loader_init(&loader, &root, &of, search_path, "/", &err), 0);
		r = loader_find(&loader, "libx.so.1", NULL, &file);
		assert_int_equal(r == LOADER_FOUND,
				 shell("LD_LIBRARY_PATH=$T/w/way:$T/w/good timeout 1 $T/w/m </dev/null"));
		/* It names the file where it gives up there, and the library where it finds none. */
		if (i + 1 < ARRAY_SIZE(obstacles))
			assert_int_equal(r == LOADER_STOPPED,
					 shell("! LD_LIBRARY_PATH=$T/w/way:$T/w/good $T/w/m 2>$T/w/said;"
					       "grep 'libraries: /' $T/w/said"));
		stopped += r == LOADER_STOPPED;
	}
	assert_int_equal(stopped, 8);
}

static void a_musl_program_finds_its_own(void **state)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_program struct program program = { .path = NULL };
	char path[PATH_MAX];
	struct err err = { 0 };

	(void)state;
	if (!shell("cd $T; echo 'int main(void) { return 0; }' | musl-gcc -x c - -o musl")) {
		print_message("# no musl-gcc here\n");
		skip();
	}
	(void)snprintf(path, sizeof(path), "%s/musl", tree);
	assert_int_equal(sysroot_open(&root, "/", &err), 0);
	assert_int_equal(program_follow(&root, path, NULL, "/", &program, &err), 0);
	assert_int_equal(program.libc, TARGET_LIBC_MUSL);
}

static int make_tree(void **state)
{
	(void)state;
	tree = tree_make();
	return 0;
}

static int remove_tree(void **state)
{
	(void)state;
	tree_remove(tree);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_of_this_machine_load_what_we_say),
		cmocka_unit_test(every_way_of_finding_a_library_is_the_loaders),
		cmocka_unit_test(a_version_that_is_missing_makes_a_library_unusable_as_it_does_for_the_loader),
		cmocka_unit_test(what_stops_the_loader_stops_us),
		cmocka_unit_test(a_musl_program_finds_its_own),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
