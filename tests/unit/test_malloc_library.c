/* SPDX-License-Identifier: Apache-2.0 */
/* Which library would answer malloc: where it is found, what is passed over, and how long an answer holds. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/words.h"
#include "elf_make.h"
#include "target/elf.h"
#include "target/malloc_kept.h"
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

struct memory {
	struct malloc_library_request request;
	struct words folders;
};

static void remember(struct memory *memory, const char *file, const char *why_not)
{
	struct malloc_library library = { .path = (char *)(why_not ? NULL : file),
					  .why_not = (char *)why_not,
					  .broken = why_not && file };
	cleanup_free char *key = malloc_kept_key(&memory->request, &memory->folders);

	assert_non_null(key);
	malloc_kept_store(&memory->request, key, file, &library);
}

/* The path that is remembered as good, "no" with the reason, or "nothing". */
static char *remembered(const struct memory *memory)
{
	cleanup_malloc_library struct malloc_library library = { .path = NULL };
	cleanup_free char *key = malloc_kept_key(&memory->request, &memory->folders);
	char *said;

	assert_non_null(key);
	if (malloc_kept_load(&memory->request, key, &library) < 0)
		return strdup("nothing");
	if (library.path)
		return strdup(library.path);
	assert_true(asprintf(&said, "no, %s, %s", library.broken ? "broken" : "none", library.why_not) > 0);
	return said;
}

static void assert_remembered(const struct memory *memory, const char *due)
{
	cleanup_free char *said = remembered(memory);

	assert_string_equal(said, due);
}

static void an_answer_is_remembered_word_for_word(void **state)
{
	cleanup_tree char *tree = tree_make();
	cleanup_free char *file = NULL, *cache = NULL;
	struct memory memory = { .request = { .target = &python, .names = malloc_library_names("tcmalloc") } };

	(void)state;
	assert_true(asprintf(&cache, "%s/cache", tree) > 0 && asprintf(&file, "%s/x.so", tree) > 0);
	memory.request.cache_folder = cache;
	tree_make_text(tree, "/x.so", "one");
	assert_remembered(&memory, "nothing");
	remember(&memory, NULL, "it is nowhere");
	assert_remembered(&memory, "no, none, it is nowhere");
	remember(&memory, file, "it is torn");
	assert_remembered(&memory, "no, broken, it is torn");
	memory.request.again = true;
	assert_remembered(&memory, "nothing");
	remember(&memory, file, NULL);
	assert_remembered(&memory, file);
	/* Another file under the same name. */
	tree_make_text(tree, "/x.so", "another");
	assert_remembered(&memory, "nothing");
}

static void whatever_it_depends_on_is_in_its_key(void **state)
{
	cleanup_tree char *tree = tree_make();
	cleanup_free char *cache = NULL, *folder = NULL, *loader = NULL;
	char *folders[] = { NULL };
	struct target other = python;
	struct memory memory = { .request = { .target = &python, .names = malloc_library_names("tcmalloc") } };

	(void)state;
	assert_true(asprintf(&cache, "%s/cache", tree) > 0 && asprintf(&folder, "%s/lib", tree) > 0 &&
		    asprintf(&loader, "%s/ld.so", tree) > 0);
	memory.request.cache_folder = cache;
	memory.request.target = &other;
	other.loader = loader;
	folders[0] = folder;
	memory.folders = (struct words){ .items = folders, .count = 1 };
	tree_make_folder(tree, "/lib");
	tree_make_text(tree, "/ld.so", "one");
	remember(&memory, NULL, "here");
	assert_remembered(&memory, "no, none, here");
	tree_make_text(tree, "/ld.so", "a longer one");
	assert_remembered(&memory, "nothing");
	remember(&memory, NULL, "here");
	tree_make_text(tree, "/lib/new.so", "");
	assert_remembered(&memory, "nothing");
	remember(&memory, NULL, "here");
	memory.request.library_path = folder;
	assert_remembered(&memory, "nothing");
	remember(&memory, NULL, "there");
	assert_remembered(&memory, "no, none, there");
	tree_make_text(tree, "/lib/newer.so", "");
	assert_remembered(&memory, "nothing");
	remember(&memory, NULL, "there");
	memory.request.names = malloc_library_names("jemalloc");
	assert_remembered(&memory, "nothing");
	memory.request.names = malloc_library_names("tcmalloc");
	other.elf_machine = EM_AARCH64;
	assert_remembered(&memory, "nothing");
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
		cmocka_unit_test(whatever_it_depends_on_is_in_its_key),
		cmocka_unit_test(a_program_that_may_compute_is_told_by_what_it_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
