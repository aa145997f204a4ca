/* SPDX-License-Identifier: Apache-2.0 */
/* Which library would answer malloc: where it is found, what is passed over, and how long an answer holds. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "elf_make.h"
#include "target/elf.h"
#include "target/malloc_library.h"
#include "target/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "libtcmalloc_minimal.so.4"

/* The machine of elf_make's files. */
static struct target python = { .path = (char *)"/env/bin/python3",
				.interpreter = (char *)"/env/bin/python3",
				.loader = (char *)"/lib64/ld-linux-x86-64.so.2",
				.libc = TARGET_LIBC_GLIBC,
				.elf_machine = EM_X86_64,
				.elf_class = 64 };

/* Look below `tree`. What is found there is not on this machine: trying it fails, and says what was tried. */
static void assert_said(const char *tree, const char *library_path, const char *said, bool broken)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_malloc_library struct malloc_library library = { .path = NULL };
	struct err err = { 0 };
	const struct malloc_library_request request = { .root = &root,
							.target = &python,
							.names = malloc_library_names("tcmalloc_minimal"),
							.library_path = library_path };

	assert_int_equal(sysroot_open(&root, tree, &err), 0);
	assert_int_equal(malloc_library_find(&request, &library, &err), 0);
	assert_null(library.path);
	if (!strstr(library.why_not, said))
		fail_msg("'%s' does not say '%s'", library.why_not, said);
	assert_int_equal(library.broken, broken);
}

static void it_is_found_as_the_loader_finds_it_and_then_beside_the_interpreter(void **state)
{
	static const struct elf_make good = { .soname = NAME };
	static const char *const cache[] = { NAME, "/sys/lib/" NAME, NULL };
	cleanup_tree char *tree = tree_make();

	(void)state;
	if (elf_own().machine != EM_X86_64)
		skip();
	assert_said(tree, NULL, NAME " is not found", false);
	tree_make_elf(tree, "/env/lib/" NAME, &good);
	assert_said(tree, NULL, "'/env/lib/" NAME "' does not work", true);
	tree_make_elf(tree, "/sys/lib/" NAME, &good);
	tree_make_cache(tree, cache, false);
	assert_said(tree, NULL, "'/sys/lib/" NAME "' does not work", true);
	tree_make_elf(tree, "/own/" NAME, &good);
	assert_said(tree, "/nowhere:/own", "'/own/" NAME "' does not work", true);
	tree_make_elf(tree, "/a b/" NAME, &good);
	assert_said(tree, "/a b", "holds a character", true);
}

static void what_does_not_fit_is_passed_over_and_named_when_there_is_no_other(void **state)
{
	static const struct elf_make good = { .soname = NAME }, foreign = { .machine = EM_AARCH64, .soname = NAME };
	cleanup_tree char *tree = tree_make();

	(void)state;
	if (elf_own().machine != EM_X86_64)
		skip();
	tree_make_text(tree, "/own/" NAME, "no library at all\n");
	assert_said(tree, "/own", "'/own/" NAME "' is no ELF library", true);
	tree_make_elf(tree, "/other/" NAME, &foreign);
	assert_said(tree, "/other", "'/other/" NAME "' is for aarch64, the program for x86-64", true);
	tree_make_elf(tree, "/env/lib/" NAME, &good);
	assert_said(tree, "/own:/other", "'/env/lib/" NAME "' does not work", true);
}

/* ---- What is remembered ---- */

/* A tree, what is asked about it, and whether anything in it was looked at. */
struct memory {
	struct sysroot_watch watch; /* first: opens() is handed this */
	unsigned opened;
	char *tree, *cache;
	struct sysroot root;
	struct target target;
	struct malloc_library_request request;
	struct malloc_library library;
};

static void opens(struct sysroot_watch *watch, const char *path)
{
	(void)path;
	((struct memory *)watch)->opened++;
}

static void memory_init(struct memory *memory)
{
	struct err err = { 0 };

	*memory = (struct memory){ .watch = { .opens = opens }, .root = SYSROOT_INIT, .target = python };
	memory->tree = tree_make();
	memory->cache = tree_make();
	assert_int_equal(sysroot_open(&memory->root, memory->tree, &err), 0);
	memory->root.watch = &memory->watch;
	memory->request = (struct malloc_library_request){
		.root = &memory->root,
		.target = &memory->target,
		.names = malloc_library_names("tcmalloc_minimal"),
		.library_path = "/own",
		.cache_folder = memory->cache,
	};
}

static void memory_clear(struct memory *memory)
{
	malloc_library_clear(&memory->library);
	sysroot_close(&memory->root);
	tree_remove(memory->tree);
	tree_remove(memory->cache);
}
#define cleanup_memory cleanup_(memory_clear)

/* False: the answer was remembered. */
static bool looks(struct memory *memory)
{
	struct err err = { 0 };

	malloc_library_clear(&memory->library);
	memory->opened = 0;
	if (malloc_library_find(&memory->request, &memory->library, &err) < 0)
		fail_msg("%s", err.text);
	return memory->opened != 0;
}

/* Looked at once, and no more. */
static void assert_looks_once(struct memory *memory, const char *because)
{
	if (!looks(memory))
		fail_msg("%s: what was remembered counts still", because);
	if (looks(memory))
		fail_msg("%s: the new answer is not remembered", because);
}

static void an_answer_is_remembered_word_for_word(void **state)
{
	cleanup_memory struct memory memory;
	cleanup_free char *why_not = NULL;

	(void)state;
	if (elf_own().machine != EM_X86_64)
		skip();
	memory_init(&memory);
	assert_true(looks(&memory));
	assert_false(memory.library.broken);
	why_not = strdup(memory.library.why_not);
	assert_false(looks(&memory));
	assert_string_equal(memory.library.why_not, why_not);
	assert_null(memory.library.path);
	assert_false(memory.library.broken);
	tree_make_text(memory.tree, "/own/" NAME, "no library at all\n");
	assert_true(looks(&memory));
	assert_false(looks(&memory));
	assert_true(memory.library.broken);
	assert_string_equal(memory.library.why_not, "'/own/" NAME "' is no ELF library");
	/* Who asks for the library by name is not sent away by an old answer. */
	memory.request.again = true;
	assert_true(looks(&memory));
	assert_true(looks(&memory));
	memory.request.cache_folder = NULL;
	memory.request.again = false;
	assert_true(looks(&memory));
	assert_true(looks(&memory));
}

/* Each step changes one thing on the disk, or in the question. */
static void whatever_it_depends_on_makes_it_look_again(void **state)
{
	static const struct {
		const char *what, *path;
	} files[] = {
		{ "a library in LD_LIBRARY_PATH", "/own/" NAME },
		{ "what it may need, beside it", "/own/libother.so" },
		{ "another cache", "/etc/ld.so.cache" },
		{ "preloads for all", "/etc/ld.so.preload" },
		{ "the loader", "/lib64/ld-linux-x86-64.so.2" },
		{ "a library beside the interpreter", "/env/lib/libother.so" },
	};
	cleanup_memory struct memory memory;

	(void)state;
	memory_init(&memory);
	tree_make_folder(memory.tree, "/own");
	tree_make_folder(memory.tree, "/env/lib");
	tree_make_text(memory.tree, "/lib64/ld-linux-x86-64.so.2", "");
	assert_looks_once(&memory, "at first");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		tree_make_text(memory.tree, files[i].path, files[i].what);
		assert_looks_once(&memory, files[i].what);
	}
	memory.request.library_path = "/other";
	assert_looks_once(&memory, "another LD_LIBRARY_PATH");
	memory.request.names = malloc_library_names("jemalloc");
	assert_looks_once(&memory, "another library");
	memory.target.elf_machine = EM_AARCH64;
	assert_looks_once(&memory, "another machine");
	memory.target.loader = (char *)"/other/ld.so";
	assert_looks_once(&memory, "another loader");
	memory.target.interpreter = (char *)"/other/bin/python3";
	assert_looks_once(&memory, "another environment");
}

/* ---- Who gets one unasked ---- */

static void a_program_that_may_compute_is_told_by_what_it_links(void **state)
{
	static const struct {
		const char *name, *needed;
		bool may;
	} rows[] = {
		{ "tool", "libc.so.6", false },
		{ "server", "libstdc++.so.6", true },
		{ "solver", "libgomp.so.1", true },
		{ "blas", "libopenblas.so.0", true },
		{ "database", "libjemalloc.so.2", false },
		{ "python3.12", "libc.so.6", false },
		{ "python3.13", "libstdc++.so.6", false }, /* which links nothing of what it will do */
	};
	cleanup_tree char *tree = tree_make();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct elf_make make = { .interpreter = "/proc/self/exe", .needed = { rows[i].needed } };
		cleanup_target struct target *target = NULL;
		cleanup_free char *path = NULL;
		struct err err = { 0 };

		if (elf_own().machine != EM_X86_64)
			skip();
		assert_true(asprintf(&path, "%s/%s", tree, rows[i].name) > 0);
		tree_make_elf(tree, path + strlen(tree), &make);
		assert_int_equal(chmod(path, 0755), 0);
		assert_int_equal(target_read(path, NULL, &target, &err), 0);
		assert_string_equal(target->loader, "/proc/self/exe");
		assert_int_equal(target_may_compute(target), rows[i].may);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_found_as_the_loader_finds_it_and_then_beside_the_interpreter),
		cmocka_unit_test(what_does_not_fit_is_passed_over_and_named_when_there_is_no_other),
		cmocka_unit_test(an_answer_is_remembered_word_for_word),
		cmocka_unit_test(whatever_it_depends_on_makes_it_look_again),
		cmocka_unit_test(a_program_that_may_compute_is_told_by_what_it_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
