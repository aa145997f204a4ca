/* SPDX-License-Identifier: Apache-2.0 */
/* The dynamic loader's rules: dynamic sections, the cache, lists of folders, and the order in which names are found. */
#include "base/cleanup.h"
#include "base/err.h"
#include "elf_make.h"
#include "target/elf_dynamic.h"
#include "target/image.h"
#include "target/ld_cache.h"
#include "target/ld_conf.h"
#include "target/loader.h"
#include "target/loader_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int memory_file(const void *bytes, size_t length)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
	return fd;
}

static void a_dynamic_section_is_read_in_both_classes_and_orders(void **state)
{
	static const struct elf_make rows[] = {
		{ 64, EM_X86_64, false, "libx.so.1", NULL, "$ORIGIN/../lib", NULL, { "liba.so.1", "libc.so.6" }, 0 },
		{ 64, EM_S390, true, "libx.so.1", NULL, "$ORIGIN/../lib", NULL, { "liba.so.1", "libc.so.6" }, 0 },
		{ 32, EM_386, false, "libx.so.1", NULL, "$ORIGIN/../lib", NULL, { "liba.so.1", "libc.so.6" }, 0 },
		{ 32, EM_PPC, true, "libx.so.1", NULL, "$ORIGIN/../lib", NULL, { "liba.so.1", "libc.so.6" }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_elf_dynamic struct elf_dynamic dynamic = { 0 };
		unsigned char bytes[ELF_MAKE_MAX];
		const size_t length = elf_make_bytes(&rows[i], bytes);
		cleanup_close int fd = memory_file(bytes, length);

		assert_int_equal(elf_dynamic_read(fd, &dynamic), 0);
		assert_true(dynamic.dynamic && !dynamic.no_default);
		assert_int_equal(dynamic.machine, rows[i].machine);
		assert_int_equal(dynamic.class, rows[i].class);
		assert_int_equal(dynamic.big, rows[i].big);
		assert_string_equal(dynamic.soname, "libx.so.1");
		assert_string_equal(dynamic.runpath, "$ORIGIN/../lib");
		assert_null(dynamic.rpath);
		assert_int_equal(dynamic.needed.count, 2);
		assert_string_equal(dynamic.needed.items[0], "liba.so.1");
		assert_string_equal(dynamic.needed.items[1], "libc.so.6");
	}
}

/* Every file cut off anywhere, and every byte changed: refused or read, never a crash, and nothing kept. */
static void a_broken_elf_file_is_refused_or_read(void **state)
{
	static const struct elf_make make = { .soname = "libx.so.1", .runpath = "/r", .needed = { "liba.so.1" } };
	unsigned char bytes[ELF_MAKE_MAX], changed[ELF_MAKE_MAX];
	const size_t length = elf_make_bytes(&make, bytes);
	unsigned refused = 0;

	(void)state;
	for (size_t i = 0; i < length; i++) {
		cleanup_close int cut = memory_file(bytes, i);
		struct elf_dynamic dynamic = { 0 };

		assert_int_equal(elf_dynamic_read(cut, &dynamic), -ENOEXEC);
	}
	for (size_t i = 0; i < length; i++) {
		static const unsigned char values[] = { 0x00, 0x7f, 0x80, 0xff };

		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			cleanup_elf_dynamic struct elf_dynamic dynamic = { 0 };
			cleanup_close int fd = -1;
			int r;

			memcpy(changed, bytes, length);
			changed[i] = values[v];
			fd = memory_file(changed, length);
			r = elf_dynamic_read(fd, &dynamic);
			assert_true(r == 0 || r == -ENOEXEC);
			refused += r != 0;
		}
	}
	assert_true(refused > 50);
}

static void a_cache_is_read_alone_and_behind_the_older_format(void **state)
{
	static const char *const entries[] = { "libgomp.so.1", "/lib/libgomp.so.1", "libx.so.2", "/opt/libx.so.2",
					       NULL };

	(void)state;
	for (int old = 0; old < 2; old++) {
		cleanup_tree char *tree = tree_make();
		cleanup_sysroot struct sysroot root = SYSROOT_INIT;
		cleanup_free char *bytes = NULL;
		struct ld_cache cache = { NULL, 0, 0 };
		struct ld_cache_entry entry;
		struct err err = { 0 };
		size_t length = 0;

		tree_make_cache(tree, entries, old);
		assert_int_equal(sysroot_open(&root, tree, &err), 0);
		assert_int_equal(tree_read(&root, "/etc/ld.so.cache", 65536, &bytes, &length), 0);
		assert_true(ld_cache_open(bytes, length, &cache));
		assert_int_equal(cache.count, 2);
		assert_true(ld_cache_entry(&cache, 0, &entry));
		assert_string_equal(entry.name, "libgomp.so.1");
		assert_string_equal(entry.path, "/lib/libgomp.so.1");
		assert_true(ld_cache_entry(&cache, 1, &entry));
		assert_string_equal(entry.path, "/opt/libx.so.2");
		/* More entries than bytes, a text without an end, and the other byte order. */
		assert_false(ld_cache_open(bytes, 70, &cache));
		assert_true(ld_cache_open(bytes, length - 1, &cache));
		assert_true(ld_cache_entry(&cache, 0, &entry));
		assert_false(ld_cache_entry(&cache, 1, &entry));
		bytes[(old ? 32 : 0) + 28] = 3;
		assert_false(ld_cache_open(bytes, length, &cache));
	}
}

static void the_machines_own_cache_is_what_ldconfig_prints(void **state)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_free char *bytes = NULL;
	struct ld_cache cache = { NULL, 0, 0 };
	struct err err = { 0 };
	char line[4096], name[256], path[2048];
	size_t length = 0, found = 0, printed = 0;
	FILE *ldconfig;

	(void)state;
	assert_int_equal(sysroot_open(&root, "/", &err), 0);
	ldconfig = popen("/sbin/ldconfig -p 2>/dev/null", "re"); /* NOLINT(cert-env33-c): a fixed line of this test */
	assert_non_null(ldconfig);
	if (tree_read(&root, "/etc/ld.so.cache", 16 << 20, &bytes, &length) < 0 ||
	    !fgets(line, sizeof(line), ldconfig)) {
		(void)pclose(ldconfig);
		print_message("# no cache or no ldconfig here\n");
		skip();
	}
	assert_true(ld_cache_open(bytes, length, &cache));
	while (fgets(line, sizeof(line), ldconfig)) {
		if (sscanf(line, "\t%255s (%*[^)]) => %2047s", name, path) != 2)
			continue;
		printed++;
		for (size_t i = 0; i < cache.count; i++) {
			struct ld_cache_entry entry;

			if (ld_cache_entry(&cache, i, &entry) && strcmp(entry.name, name) == 0 &&
			    strcmp(entry.path, path) == 0) {
				found++;
				break;
			}
		}
	}
	(void)pclose(ldconfig);
	assert_true(printed > 0);
	assert_int_equal(found, printed);
	assert_int_equal(cache.count, printed);
}

static void lists_of_folders_are_followed_through_includes(void **state)
{
	cleanup_tree char *tree = tree_make();
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_words struct words folders = { 0 };
	static const char *const expected[] = { "/first", "/a", "/b", "/c/d", "/inner", "/last" };
	struct err err = { 0 };

	(void)state;
	tree_make_text(tree, "/etc/ld.so.conf",
		       "# a comment\n  /first/ # behind it\ninclude ld.so.conf.d/*.conf \t /etc/o*er/x.conf\n"
		       "hwcap 0 nosegneg\nrelative/folder\n/last=libc6");
	tree_make_text(tree, "/etc/ld.so.conf.d/b.conf", "/b\n/c/d\n");
	tree_make_text(tree, "/etc/ld.so.conf.d/a.conf", "/a\ninclude /etc/ld.so.conf\n"); /* a circle */
	tree_make_text(tree, "/etc/ld.so.conf.d/no.txt", "/never\n");
	tree_make_text(tree, "/etc/other/x.conf", "/inner\n");
	assert_int_equal(sysroot_open(&root, tree, &err), 0);
	assert_int_equal(ld_conf_folders(&root, "/etc/ld.so.conf", &folders), 0);
	/* The circle repeats them; the order in which each is met first is what counts. */
	for (size_t e = 0, i = 0; e < ARRAY_SIZE(expected); e++) {
		while (i < folders.count && strcmp(folders.items[i], expected[e]) != 0)
			i++;
		if (i == folders.count)
			fail_msg("'%s' is missing", expected[e]);
	}
	for (size_t i = 0; i < folders.count; i++)
		assert_true(strcmp(folders.items[i], "/never") != 0 && folders.items[i][0] == '/');
	assert_int_equal(ld_conf_folders(&root, "/etc/none", &folders), -ENOENT);
}

/* ---- The order of the search ---- */

static const struct elf_make program_64 = { .interpreter = "/lib64/ld-linux-x86-64.so.2" };

/* A loader for "/app/bin/prog" in the tree. */
static void set_up(struct loader *loader, struct sysroot *root, const char *tree, enum target_libc libc, bool secure,
		   const char *library_path)
{
	const struct loader_program program = {
		.path = "/app/bin/prog", .libc = libc, .machine = EM_X86_64, .class = 64, .secure = secure
	};
	struct err err = { 0 };

	assert_int_equal(sysroot_open(root, tree, &err), 0);
	assert_int_equal(loader_init(loader, root, &program, library_path, "/work", &err), 0);
}

static const struct elf_make plain_library = { .soname = "libx.so.1" };

/* Where libx.so.1 is found for the asker; "" for nowhere. */
static void assert_found(const struct loader *loader, const struct loader_asker *asker, const char *path,
			 enum loader_way way)
{
	cleanup_loader_file struct loader_file file = { .path = NULL };
	int r = loader_find(loader, "libx.so.1", asker, &file);

	assert_int_equal(r, *path ? LOADER_FOUND : LOADER_NONE);
	if (!r)
		return;
	assert_string_equal(file.path, path);
	assert_int_equal(file.way, way);
}

static void names_are_searched_in_the_order_of_ld_so(void **state)
{
	cleanup_tree char *tree = tree_make();
	static const char *const cached[] = { "libx.so.1", "/cached/libx.so.1", NULL };
	static const char *const folders[] = { "/rpath",  "/env", "/app/run", "/cached", "/usr/lib/x86_64-linux-gnu",
					       "/usr/lib" };
	static const enum loader_way ways[] = { LOADER_RPATH, LOADER_LIBRARY_PATH, LOADER_RUNPATH,
						LOADER_CACHE, LOADER_DEFAULT,      LOADER_DEFAULT };
	const struct loader_asker by = { .origin = "/app/lib", .rpath = "/rpath" };
	const struct loader_asker with_rpath = { .origin = "/app/lib", .by = &by };
	const struct loader_asker with_runpath = {
		.origin = "/app/run", .rpath = "/rpath", .runpath = "/nothing:$ORIGIN", .by = &by
	};

	(void)state;
	tree_make_elf(tree, "/app/bin/prog", &program_64);
	tree_make_cache(tree, cached, false);
	tree_make_folder(tree, "/usr/lib/x86_64-linux-gnu");
	/* From the last to the first: what is put in later is found before all others. */
	for (size_t i = ARRAY_SIZE(folders); i-- > 0;) {
		cleanup_loader struct loader loader = { .root = NULL };
		cleanup_sysroot struct sysroot root = SYSROOT_INIT;
		char path[256];

		(void)snprintf(path, sizeof(path), "%s/libx.so.1", folders[i]);
		tree_make_elf(tree, path, &plain_library);
		set_up(&loader, &root, tree, TARGET_LIBC_GLIBC, false, "/env");
		if (ways[i] == LOADER_RPATH)
			assert_found(&loader, &with_rpath, path, ways[i]);
		/* An asker with a RUNPATH has no RPATH, neither its own nor that of others. */
		assert_found(&loader, &with_runpath, i < 1 ? "/env/libx.so.1" : path,
			     i < 1 ? LOADER_LIBRARY_PATH : ways[i]);
	}
}

static void another_users_rights_shut_the_environment_out(void **state)
{
	cleanup_tree char *tree = tree_make();
	cleanup_loader struct loader loader = { .root = NULL };
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	const struct loader_asker asker = { .origin = "/app/lib", .runpath = "$ORIGIN/../run" };

	(void)state;
	tree_make_elf(tree, "/app/bin/prog", &program_64);
	tree_make_elf(tree, "/env/libx.so.1", &plain_library);
	tree_make_elf(tree, "/app/run/libx.so.1", &plain_library);
	set_up(&loader, &root, tree, TARGET_LIBC_GLIBC, true, "/env");
	assert_found(&loader, &asker, "", LOADER_NAMED);
}

static void what_does_not_fit_is_passed_over(void **state)
{
	cleanup_tree char *tree = tree_make();
	cleanup_loader struct loader loader = { .root = NULL };
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;

	(void)state;
	tree_make_elf(tree, "/app/bin/prog", &program_64);
	tree_make_elf(tree, "/two/libx.so.1", &(struct elf_make){ .class = 32, .machine = EM_386 });
	tree_make_elf(tree, "/three/libx.so.1", &(struct elf_make){ .machine = EM_AARCH64 });
	tree_make_elf(tree, "/four/libx.so.1", &(struct elf_make){ .class = 32, .machine = EM_PPC, .big = true });
	tree_make_link(tree, "/five/libx.so.1", "/nowhere");
	tree_make_text(tree, "/no-folder", "");
	tree_make_elf(tree, "/work/six/libx.so.1", &plain_library);
	set_up(&loader, &root, tree, TARGET_LIBC_GLIBC, false, "/two;/three:/four:/five:/no-folder:six");
	assert_found(&loader, NULL, "/work/six/libx.so.1", LOADER_LIBRARY_PATH);
	loader_clear(&loader);
	sysroot_close(&root);
	set_up(&loader, &root, tree, TARGET_LIBC_MUSL, false, "/five:/no-folder:six");
	assert_found(&loader, NULL, "/work/six/libx.so.1", LOADER_LIBRARY_PATH);
}

/* One way to be in the way of /good/libx.so.1: a file of these bytes, an ELF file, a link, a folder or a pipe. */
static const struct obstacle {
	const char *what, *text, *link;
	const struct elf_make *elf;
	size_t cut; /* length of the ELF file; 0: whole */
	enum loader_answer glibc, musl;
	const char *why; /* where glibc's loader stops */
} obstacles[] = {
	{ .what = "folder", .glibc = LOADER_STOPPED, .musl = LOADER_STOPPED, .why = "is a folder" },
	{ .what = "pipe", .glibc = LOADER_STOPPED, .musl = LOADER_STOPPED, .why = "for which the loader would wait" },
	{ .what = "empty", .text = "", .glibc = LOADER_STOPPED, .musl = LOADER_STOPPED, .why = "is too short" },
	{ .what = "short text",
	  .text = "GROUP ( /lib/libx.so.2 )\n",
	  .glibc = LOADER_STOPPED,
	  .musl = LOADER_STOPPED,
	  .why = "is too short" },
	{ .what = "text",
	  .text = "/* GNU ld script: use the shared library, but some functions are in the static one */ GROUP ( "
		  "libx.so.2 )",
	  .glibc = LOADER_STOPPED,
	  .musl = LOADER_STOPPED,
	  .why = "is no ELF file" },
	{ .what = "cut off in its headers",
	  .elf = &plain_library,
	  .cut = 100,
	  .glibc = LOADER_STOPPED,
	  .musl = LOADER_STOPPED,
	  .why = "is cut off" },
	{ .what = "big-endian",
	  .elf = &(struct elf_make){ .big = true },
	  .glibc = LOADER_STOPPED,
	  .musl = LOADER_STOPPED,
	  .why = "byte order" },
	{ .what = "another machine",
	  .elf = &(struct elf_make){ .machine = EM_AARCH64 },
	  .glibc = LOADER_FOUND,
	  .musl = LOADER_STOPPED,
	  .why = "is for another machine" },
	{ .what = "circle", .link = "libx.so.1", .glibc = LOADER_NONE, .musl = LOADER_NONE },
	{ .what = "through a file", .link = "/app/bin/prog/x", .glibc = LOADER_NONE, .musl = LOADER_FOUND },
};

static void put_obstacle(const char *tree, const struct obstacle *obstacle)
{
	static const char path[] = "/way/libx.so.1";
	unsigned char bytes[ELF_MAKE_MAX];
	char whole[256];

	if (obstacle->text)
		tree_make_text(tree, path, obstacle->text);
	else if (obstacle->link)
		tree_make_link(tree, path, obstacle->link);
	else if (obstacle->elf && obstacle->cut) {
		(void)elf_make_bytes(obstacle->elf, bytes);
		tree_make_bytes(tree, path, bytes, obstacle->cut);
	} else if (obstacle->elf)
		tree_make_elf(tree, path, obstacle->elf);
	else if (strcmp(obstacle->what, "folder") == 0)
		tree_make_folder(tree, path);
	else {
		tree_make_folder(tree, "/way");
		(void)snprintf(whole, sizeof(whole), "%s%s", tree, path);
		assert_int_equal(mkfifo(whole, 0600), 0);
	}
}

static void what_opens_and_is_no_library_ends_the_search(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(obstacles); i++) {
		const struct obstacle *obstacle = &obstacles[i / 2];
		const bool musl = i % 2;
		cleanup_tree char *tree = tree_make();
		cleanup_loader struct loader loader = { .root = NULL };
		cleanup_sysroot struct sysroot root = SYSROOT_INIT;
		cleanup_loader_file struct loader_file file = { .path = NULL };
		const enum loader_answer wanted = musl ? obstacle->musl : obstacle->glibc;
		int r;

		tree_make_elf(tree, "/app/bin/prog", &program_64);
		tree_make_elf(tree, "/good/libx.so.1", &plain_library);
		put_obstacle(tree, obstacle);
		set_up(&loader, &root, tree, musl ? TARGET_LIBC_MUSL : TARGET_LIBC_GLIBC, false, "/way:/good");
		r = loader_find(&loader, "libx.so.1", NULL, &file);
		if (r != (int)wanted)
			fail_msg("%s, %s: %d", obstacle->what, musl ? "musl" : "glibc", r);
		if (r == LOADER_FOUND)
			assert_string_equal(file.path, "/good/libx.so.1");
		if (r != LOADER_STOPPED)
			continue;
		assert_string_equal(file.path, "/way/libx.so.1");
		if (!musl && !strstr(file.why_stopped, obstacle->why))
			fail_msg("%s: %s", obstacle->what, file.why_stopped);
	}
}

/* Only this list: the next one, here the cache, is looked at. */
static void a_link_in_a_circle_ends_glibcs_list(void **state)
{
	static const char *const cached[] = { "libx.so.1", "/cached/libx.so.1", NULL };
	cleanup_tree char *tree = tree_make();
	cleanup_loader struct loader loader = { .root = NULL };
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;

	(void)state;
	tree_make_elf(tree, "/app/bin/prog", &program_64);
	tree_make_cache(tree, cached, false);
	tree_make_elf(tree, cached[1], &plain_library);
	tree_make_elf(tree, "/good/libx.so.1", &plain_library);
	tree_make_link(tree, "/way/libx.so.1", "libx.so.1");
	set_up(&loader, &root, tree, TARGET_LIBC_GLIBC, false, "/way:/good");
	assert_found(&loader, NULL, cached[1], LOADER_CACHE);
}

static void the_dollar_words_are_put_in(void **state)
{
	cleanup_tree char *tree = tree_make();
	cleanup_loader struct loader loader = { .root = NULL };
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	static const struct {
		const char *search_path, *found;
	} rows[] = {
		{ "$ORIGIN/../o", "/app/lib/../o/libx.so.1" },
		{ "${ORIGIN}/../o", "/app/lib/../o/libx.so.1" },
		{ "/base/$LIB", "/base/lib/x86_64-linux-gnu/libx.so.1" },
		{ "/base/${PLATFORM}", "/base/x86_64/libx.so.1" },
		{ "$OTHER", "" },
		{ "", "/work/libx.so.1" },
		{ "/nowhere:/app/o/", "/app/o/libx.so.1" },
	};

	(void)state;
	tree_make_elf(tree, "/app/bin/prog", &program_64);
	tree_make_folder(tree, "/lib/x86_64-linux-gnu");
	tree_make_folder(tree, "/app/lib");
	tree_make_elf(tree, "/app/o/libx.so.1", &plain_library);
	tree_make_elf(tree, "/base/lib/x86_64-linux-gnu/libx.so.1", &plain_library);
	tree_make_elf(tree, "/base/x86_64/libx.so.1", &plain_library);
	tree_make_elf(tree, "/work/libx.so.1", &plain_library);
	set_up(&loader, &root, tree, TARGET_LIBC_GLIBC, false, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct loader_asker asker = { .origin = "/app/lib", .runpath = rows[i].search_path };

		assert_found(&loader, &asker, rows[i].found, LOADER_RUNPATH);
	}
}

static void musl_has_its_own_list_and_no_cache(void **state)
{
	cleanup_tree char *tree = tree_make();
	static const char *const cached[] = { "libx.so.1", "/cached/libx.so.1", NULL };
	const struct loader_asker asker = { .origin = "/app/lib", .runpath = "/none" };

	(void)state;
	tree_make_elf(tree, "/app/bin/prog", &program_64);
	tree_make_cache(tree, cached, false);
	tree_make_elf(tree, "/cached/libx.so.1", &plain_library);
	tree_make_elf(tree, "/usr/local/lib/libx.so.1", &plain_library);
	for (int listed = 0; listed < 2; listed++) {
		cleanup_loader struct loader loader = { .root = NULL };
		cleanup_sysroot struct sysroot root = SYSROOT_INIT;

		if (listed)
			tree_make_text(tree, "/etc/ld-musl-x86_64.path", "/opt/a\n/cached:/opt/b\n");
		set_up(&loader, &root, tree, TARGET_LIBC_MUSL, false, NULL);
		assert_found(&loader, &asker, listed ? "/cached/libx.so.1" : "/usr/local/lib/libx.so.1",
			     LOADER_DEFAULT);
	}
}

static void a_variant_for_this_cpu_is_preferred(void **state)
{
	const char *const *hwcaps = loader_machine_hwcaps(EM_X86_64, 64);
	cleanup_tree char *tree = tree_make();
	cleanup_loader struct loader loader = { .root = NULL };
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	static const char *const cached[] = { "libx.so.1", "/c/libx.so.1",
					      "libx.so.1", "/c/glibc-hwcaps/x86-64-v2/libx.so.1",
					      "libx.so.1", "/c/glibc-hwcaps/x86-64-v99/libx.so.1",
					      NULL };

	(void)state;
	if (!*hwcaps) {
		print_message("# this CPU knows no levels\n");
		skip();
	}
	tree_make_elf(tree, "/app/bin/prog", &program_64);
	tree_make_cache(tree, cached, true);
	for (size_t i = 1; cached[i - 1]; i += 2)
		tree_make_elf(tree, cached[i], &plain_library);
	tree_make_elf(tree, "/env/glibc-hwcaps/x86-64-v2/libx.so.1", &plain_library);
	set_up(&loader, &root, tree, TARGET_LIBC_GLIBC, false, NULL);
	assert_found(&loader, NULL, "/c/glibc-hwcaps/x86-64-v2/libx.so.1", LOADER_CACHE);
	loader_clear(&loader);
	sysroot_close(&root);
	set_up(&loader, &root, tree, TARGET_LIBC_GLIBC, false, "/env");
	assert_found(&loader, NULL, "/env/glibc-hwcaps/x86-64-v2/libx.so.1", LOADER_LIBRARY_PATH);
}

static void a_library_is_loaded_once_and_who_comes_first_decides(void **state)
{
	cleanup_tree char *tree = tree_make();
	cleanup_loader struct loader loader = { .root = NULL };
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_image struct image image = { .loader = NULL };
	struct image_missing missing = { .name = "" };
	static const char *const expected[] = { "/app/bin/prog", "/pre/other-name.so", "/env/liba.so", "/env/libb.so" };

	(void)state;
	tree_make_elf(tree, "/app/bin/prog",
		      &(struct elf_make){ .interpreter = "/lib64/ld-linux-x86-64.so.2",
					  .needed = { "liba.so", "libx.so.1", "ld-linux-x86-64.so.2" } });
	tree_make_elf(tree, "/pre/other-name.so", &plain_library); /* its soname is libx.so.1 */
	tree_make_elf(tree, "/env/libx.so.1", &plain_library);
	tree_make_elf(tree, "/env/liba.so", &(struct elf_make){ .needed = { "libb.so", "libx.so.1" } });
	tree_make_elf(tree, "/env/libb.so", &(struct elf_make){ .needed = { "liba.so", "libgone.so" } });
	tree_make_link(tree, "/env/again.so", "libb.so");
	set_up(&loader, &root, tree, TARGET_LIBC_GLIBC, false, "/env");
	assert_int_equal(image_start(&image, &loader, "program"), 0);
	assert_int_equal(image_add(&image, "/pre/other-name.so", "preload", NULL), 1);
	assert_int_equal(image_fill(&image, 0, &missing), 0);
	assert_int_equal(image_add(&image, "again.so", "later", NULL), 1); /* the same file by another name */
	assert_int_equal(image_add(&image, "libnone.so", "later", NULL), 0);
	assert_int_equal(image.count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < image.count; i++)
		assert_string_equal(image.objects[i]->file.path, expected[i]);
	assert_string_equal(image.objects[1]->cause, "preload");
	assert_string_equal(image.objects[3]->cause, "program");
	assert_string_equal(missing.name, "libgone.so");
	assert_string_equal(missing.by, "libb.so");
	image_cut(&image, 1);
	assert_int_equal(image.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dynamic_section_is_read_in_both_classes_and_orders),
		cmocka_unit_test(a_broken_elf_file_is_refused_or_read),
		cmocka_unit_test(a_cache_is_read_alone_and_behind_the_older_format),
		cmocka_unit_test(the_machines_own_cache_is_what_ldconfig_prints),
		cmocka_unit_test(lists_of_folders_are_followed_through_includes),
		cmocka_unit_test(names_are_searched_in_the_order_of_ld_so),
		cmocka_unit_test(another_users_rights_shut_the_environment_out),
		cmocka_unit_test(what_does_not_fit_is_passed_over),
		cmocka_unit_test(what_opens_and_is_no_library_ends_the_search),
		cmocka_unit_test(a_link_in_a_circle_ends_glibcs_list),
		cmocka_unit_test(the_dollar_words_are_put_in),
		cmocka_unit_test(musl_has_its_own_list_and_no_cache),
		cmocka_unit_test(a_variant_for_this_cpu_is_preferred),
		cmocka_unit_test(a_library_is_loaded_once_and_who_comes_first_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
