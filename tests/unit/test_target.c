/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "target/script.h"
#include "target/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[] = "/tmp/fettle-target-XXXXXX";

/* Texts of one test stay valid until the next use of the same slot. */
static const char *in_folder(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	assert_true(snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX);
	return path;
}

static void write_file(const char *path, const void *bytes, size_t length, mode_t mode)
{
	cleanup_close int fd = -1;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
	assert_int_equal(fchmod(fd, mode), 0);
}

static const char *script(const char *name, const char *text)
{
	const char *path = in_folder(name);

	write_file(path, text, strlen(text), 0755);
	return path;
}

/* The bytes of /bin/true, a dynamic program on every machine this runs on. */
static size_t read_true(unsigned char *bytes, size_t size)
{
	cleanup_close int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, bytes, size);

	assert_true(length > (ssize_t)sizeof(Elf64_Ehdr) && length < (ssize_t)size);
	return (size_t)length;
}

static void copy_true(const char *path, mode_t mode)
{
	static unsigned char bytes[1 << 20];

	write_file(path, bytes, read_true(bytes, sizeof(bytes)), mode);
}

/* Build a C program; false where this machine has no such compiler. */
static bool compile(const char *compiler, const char *option, const char *output)
{
	char line[PATH_MAX + 200];

	(void)snprintf(line, sizeof(line), "echo 'int main(void) { return 0; }' | %s %s -x c - -o %s >/dev/null 2>&1",
		       compiler, option, output);
	return system(line) == 0; /* NOLINT(cert-env33-c): a fixed line of this test */
}

static int read_error(const char *name, const char *search_path, struct err *err)
{
	struct target *target = NULL;
	int r = target_read(name, search_path, &target, err);

	assert_true((r == 0) == (target != NULL));
	target_free(target);
	return r;
}

static void a_plain_program_is_itself(void **state)
{
	cleanup_target struct target *target = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(target_read("/bin/true", NULL, &target, &err), 0);
	assert_string_equal(target->path, "/bin/true");
	assert_string_equal(target->interpreter, "/bin/true");
	assert_int_equal(target->libc, TARGET_LIBC_GLIBC);
	assert_false(target->script || target->set_id || target->foreign);
	assert_int_equal(target->elf_class, sizeof(void *) * 8);
	assert_int_not_equal(target->elf_machine, 0);
}

static void names_are_searched_as_execvp_does(void **state)
{
	cleanup_target struct target *first = NULL, *here = NULL, *fallback = NULL;
	char path[PATH_MAX];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(mkdir(in_folder("denied"), 0700), 0);
	assert_int_equal(mkdir(in_folder("denied/prog"), 0700), 0);
	assert_int_equal(mkdir(in_folder("bin"), 0700), 0);
	copy_true(in_folder("bin/prog"), 0755);
	copy_true(in_folder("bin/here"), 0755);
	/* A folder of that name, a missing folder and an unfit file do not end the search. */
	(void)snprintf(path, sizeof(path), "%s/none:%s/denied:%s/bin", folder, folder, folder);
	assert_int_equal(target_read("prog", path, &first, &err), 0);
	assert_string_equal(first->path, in_folder("bin/prog"));
	/* Without a find, the refusal is what is told. */
	(void)snprintf(path, sizeof(path), "%s/denied:%s/none", folder, folder);
	assert_int_equal(read_error("prog", path, &err), -EISDIR);
	assert_int_equal(read_error("nowhere-at-all", path, &err), -ENOENT);
	assert_string_equal(err.text, "cannot run 'nowhere-at-all': not found in PATH");
	/* An empty entry is the current folder; a name with a slash is never searched. */
	assert_int_equal(chdir(in_folder("bin")), 0);
	assert_int_equal(target_read("here", "/none::/none2", &here, &err), 0);
	assert_string_equal(here->path, "./here");
	assert_int_equal(read_error("bin/here", folder, &err), -ENOENT);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(target_read("true", NULL, &fallback, &err), 0);
	assert_int_equal(read_error("", "/bin", &err), -ENOENT);
	/* However long PATH is. */
	target_free(TAKE(fallback));
	assert_int_equal(target_read("true", "/a:/b:/c:/d:/e:/f:/g:/h:/i:/j:/k:/l:/bin", &fallback, &err), 0);
	assert_string_equal(fallback->path, "/bin/true");
}

static void what_cannot_run_is_refused_with_its_reason(void **state)
{
	struct err err = { 0 };

	(void)state;
	copy_true(in_folder("plain"), 0644);
	assert_int_equal(read_error(in_folder("plain"), NULL, &err), -EACCES);
	assert_non_null(strstr(err.hint, "chmod +x"));
	assert_int_equal(read_error(folder, NULL, &err), -EISDIR);
	assert_int_equal(mkfifo(in_folder("fifo"), 0755), 0);
	assert_int_equal(read_error(in_folder("fifo"), NULL, &err), -EACCES);
	assert_int_equal(read_error(in_folder("missing"), NULL, &err), -ENOENT);
	assert_int_equal(read_error("/bin/true/inside", NULL, &err), -ENOENT);
	assert_int_equal(symlink("circle", in_folder("circle")), 0);
	assert_int_equal(read_error(in_folder("circle"), NULL, &err), -ELOOP);
}

static void a_refused_program_leaves_the_search_to_go_on(void **state)
{
	cleanup_target struct target *target = NULL;
	char path[PATH_MAX];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(mkdir(in_folder("one"), 0700), 0);
	assert_int_equal(mkdir(in_folder("two"), 0700), 0);
	write_file(in_folder("one/tool"), "#!/no/such/interpreter\n", 23, 0755);
	copy_true(in_folder("two/tool"), 0755);
	(void)snprintf(path, sizeof(path), "%s/one:%s/two", folder, folder);
	assert_int_equal(target_read("tool", path, &target, &err), 0);
	assert_string_equal(target->path, in_folder("two/tool"));
	assert_false(target->script);
	(void)snprintf(path, sizeof(path), "%s/one", folder);
	assert_int_equal(read_error("tool", path, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/no/such/interpreter"));
}

static void chains_of_scripts_end_at_their_elf_file(void **state)
{
	char line[PATH_MAX + 8];
	const char *names[] = { "s1", "s2", "s3", "s4", "s5", "s6" };
	struct err err = { 0 };

	(void)state;
	(void)script("s1", "#! \t/bin/sh -e \n:\n");
	for (size_t i = 1; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(line, sizeof(line), "#!%s/%s\n", folder, names[i - 1]);
		(void)script(names[i], line);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_target struct target *target = NULL;
		int r = target_read(in_folder(names[i]), NULL, &target, &err);

		/* Five lines are followed, the sixth is one too many. */
		if (i == 5) {
			assert_int_equal(r, -ELOOP);
			continue;
		}
		assert_int_equal(r, 0);
		assert_true(target->script);
		assert_string_equal(target->path, in_folder(names[i]));
		assert_string_equal(target->interpreter, "/bin/sh");
		assert_int_equal(target->libc, TARGET_LIBC_GLIBC);
	}
}

static void texts_without_an_interpreter_go_to_the_shell(void **state)
{
	char blanks[300];
	const char *rows[] = { "echo hello\n", "", "#!\n", "#!   \t", blanks };

	(void)state;
	memset(blanks, 'x', sizeof(blanks)); /* a name that the kernel's 256 bytes cut off */
	memcpy(blanks, "#!/", 3);
	blanks[sizeof(blanks) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_target struct target *target = NULL;
		struct err err = { 0 };

		assert_int_equal(target_read(script("text", rows[i]), NULL, &target, &err), 0);
		assert_string_equal(target->interpreter, "/bin/sh");
		assert_false(target->script);
	}
}

static void env_is_followed_through_path(void **state)
{
	static const struct {
		const char *line, *ends_at; /* NULL: in the folder given as PATH */
	} rows[] = {
		{ "#!/usr/bin/env inner\n", NULL },
		{ "#!/usr/bin/env -S inner -u -x\n", NULL },
		{ "#!/usr/bin/env -S A=1 B='x y' -- inner\n", NULL },
		{ "#!/usr/bin/env -S -u HOME inner\n", NULL },
		{ "#!/usr/bin/env -vS \"inner\" more\n", NULL },
		{ "#!/usr/bin/env -S PATH=/none:/bin true\n", "/bin/true" },
		{ "#!/usr/bin/env -S -i true\n", "/bin/true" },
		{ "#!/usr/bin/env -iS true\n", "/bin/true" },
		{ "#!/usr/bin/env /bin/true\n", "/bin/true" },
		{ "#!/usr/bin/env -S ${HOME}/x\n", "/usr/bin/env" }, /* only env itself can tell */
		{ "#!/usr/bin/env -S --chdir=/ inner\n", "/usr/bin/env" },
		{ "#!/usr/bin/env\n", "/usr/bin/env" },
	};
	struct err err = { 0 };

	(void)state;
	assert_int_equal(mkdir(in_folder("path"), 0700), 0);
	copy_true(in_folder("path/inner"), 0755);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_target struct target *target = NULL;
		const char *end = rows[i].ends_at;

		assert_int_equal(target_read(script("enved", rows[i].line), in_folder("path"), &target, &err), 0);
		assert_true(target->script);
		assert_string_equal(target->path, in_folder("enved"));
		if (end && strcmp(end, "/bin/true") == 0)
			assert_non_null(strstr(target->interpreter, "bin/true")); /* /usr/bin is before /bin */
		else
			assert_string_equal(target->interpreter, end ? end : in_folder("path/inner"));
	}
	/* Without -S the line's rest is one name, blanks included. */
	assert_int_equal(read_error(script("enved", "#!/usr/bin/env inner -u\n"), in_folder("path"), &err), -ENOENT);
	assert_non_null(strstr(err.text, "'inner -u'"));
}

static void scripts_that_start_each_other_end(void **state)
{
	struct err err = { 0 };

	(void)state;
	(void)script("path/around", "#!/usr/bin/env around\n");
	assert_int_equal(read_error("around", in_folder("path"), &err), -ELOOP);
}

/* What the marks mean is secure_start()'s to say; here, that they are looked for on the right file. */
static void marks_of_privilege_count_where_the_kernel_looks(void **state)
{
	enum { NOBODY = 65534 };
	static const struct {
		mode_t mode;
		bool set_id;
	} rows[] = { { 0755, false }, { 04755, true }, { 04711, true } };
	char line[PATH_MAX + 8];
	struct err err = { 0 };

	(void)state;
	if (geteuid() != 0) {
		print_message("# only root gives files away\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_target struct target *direct = NULL, *through = NULL, *script_itself = NULL;

		copy_true(in_folder("marked"), rows[i].mode);
		assert_int_equal(chown(in_folder("marked"), NOBODY, 0), 0);
		assert_int_equal(chmod(in_folder("marked"), rows[i].mode), 0);
		assert_int_equal(target_read(in_folder("marked"), NULL, &direct, &err), 0);
		assert_int_equal(direct->set_id, rows[i].set_id);
		/* A script's interpreter brings its own mark; the script's own means nothing to Linux. */
		(void)snprintf(line, sizeof(line), "#!%s\n", in_folder("marked"));
		assert_int_equal(target_read(script("through", line), NULL, &through, &err), 0);
		assert_int_equal(through->set_id, rows[i].set_id);
		write_file(in_folder("itself"), "#!/bin/sh\n", 10, rows[i].mode);
		assert_int_equal(chown(in_folder("itself"), NOBODY, 0), 0);
		assert_int_equal(chmod(in_folder("itself"), rows[i].mode), 0);
		assert_int_equal(target_read(in_folder("itself"), NULL, &script_itself, &err), 0);
		assert_false(script_itself->set_id);
	}
}

static void programs_cut_off_anywhere_are_refused_or_read(void **state)
{
	static unsigned char bytes[1 << 20];
	const size_t length = read_true(bytes, sizeof(bytes));
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
	const size_t headers_end = header->e_phoff + (size_t)header->e_phnum * header->e_phentsize;
	struct err err = { 0 };

	(void)state;
	for (size_t cut = SELFMAG; cut < headers_end + 64 && cut < length; cut++) {
		int r;

		write_file(in_folder("cut"), bytes, cut, 0755);
		r = read_error(in_folder("cut"), NULL, &err);
		assert_true(cut < headers_end ? r == -ENOEXEC : r == 0 || r == -ENOEXEC);
	}
	/* Every header byte at its extremes: an answer, never a crash (the sanitizers watch). */
	for (size_t i = SELFMAG; i < headers_end; i++) {
		const unsigned char kept = bytes[i];

		for (int v = 0; v < 2; v++) {
			bytes[i] = v ? 0xff : 0;
			write_file(in_folder("cut"), bytes, headers_end + 64, 0755);
			(void)read_error(in_folder("cut"), NULL, &err);
		}
		bytes[i] = kept;
	}
}

static void static_programs_have_no_loader(void **state)
{
	static const char *const options[] = { "-static", "-static-pie" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		cleanup_target struct target *target = NULL;
		struct err err = { 0 };

		if (!compile("gcc", options[i], in_folder("static")))
			skip();
		assert_int_equal(target_read(in_folder("static"), NULL, &target, &err), 0);
		assert_int_equal(target->libc, TARGET_LIBC_NONE);
		assert_false(target->foreign);
	}
}

static void musl_programs_are_known_by_their_loader(void **state)
{
	cleanup_target struct target *target = NULL;
	struct err err = { 0 };
	int r;

	(void)state;
	if (!compile("musl-gcc", "", in_folder("musl")))
		skip();
	r = target_read(in_folder("musl"), NULL, &target, &err);
	if (r == -ENOENT) {
		assert_non_null(strstr(err.text, "ld-musl"));
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(target->libc, TARGET_LIBC_MUSL);
}

static void a_program_of_other_class_and_byte_order_is_foreign(void **state)
{
	cleanup_target struct target *target = NULL;
	struct err err = { 0 };
	/* The smallest 32-bit big-endian program: a header and one segment. */
	unsigned char bytes[sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr)] = { ELFMAG0, ELFMAG1,    ELFMAG2,
									 ELFMAG3, ELFCLASS32, ELFDATA2MSB };

	(void)state;
	bytes[17] = ET_EXEC;
	bytes[19] = EM_PPC;
	bytes[offsetof(Elf32_Ehdr, e_phoff) + 3] = sizeof(Elf32_Ehdr);
	bytes[offsetof(Elf32_Ehdr, e_phentsize) + 1] = sizeof(Elf32_Phdr);
	bytes[offsetof(Elf32_Ehdr, e_phnum) + 1] = 1;
	write_file(in_folder("big"), bytes, sizeof(bytes), 0755);
	assert_int_equal(target_read(in_folder("big"), NULL, &target, &err), 0);
	assert_true(target->foreign);
	assert_int_equal(target->elf_machine, EM_PPC);
	assert_int_equal(target->elf_class, 32);
	assert_int_equal(target->libc, TARGET_LIBC_NONE);
}

static void a_program_of_another_machine_is_foreign(void **state)
{
	cleanup_target struct target *target = NULL;
	struct err err = { 0 };

	(void)state;
#ifdef __aarch64__
	skip();
#endif
	/* The cross compiler may be there without its libc. */
	if (!compile("aarch64-linux-gnu-gcc", "-nostdlib -fPIE -pie -e main", in_folder("cross")))
		skip();
	assert_int_equal(target_read(in_folder("cross"), NULL, &target, &err), 0);
	assert_true(target->foreign);
	assert_int_equal(target->elf_machine, EM_AARCH64);
	assert_int_equal(target->libc, TARGET_LIBC_GLIBC);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static int remove_folder(void **state)
{
	(void)state;
	return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_program_is_itself),
		cmocka_unit_test(names_are_searched_as_execvp_does),
		cmocka_unit_test(what_cannot_run_is_refused_with_its_reason),
		cmocka_unit_test(a_refused_program_leaves_the_search_to_go_on),
		cmocka_unit_test(chains_of_scripts_end_at_their_elf_file),
		cmocka_unit_test(texts_without_an_interpreter_go_to_the_shell),
		cmocka_unit_test(env_is_followed_through_path),
		cmocka_unit_test(scripts_that_start_each_other_end),
		cmocka_unit_test(marks_of_privilege_count_where_the_kernel_looks),
		cmocka_unit_test(programs_cut_off_anywhere_are_refused_or_read),
		cmocka_unit_test(static_programs_have_no_loader),
		cmocka_unit_test(musl_programs_are_known_by_their_loader),
		cmocka_unit_test(a_program_of_other_class_and_byte_order_is_foreign),
		cmocka_unit_test(a_program_of_another_machine_is_foreign),
	};

	return cmocka_run_group_tests_name("target", tests, make_folder, remove_folder);
}
