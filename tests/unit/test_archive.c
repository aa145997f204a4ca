/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of captured machines: every compression, and what hostile ones must not do. */
#include "base/archive_wire.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/installed.h"
#include "machine/archive.h"
#include "machine/machine.h"
#include "root_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Where archives are unpacked while these tests run, and where they lie. */
static char *unpack_dir, *dir;

static int set_up(void **state)
{
	cleanup_free char *helper = installed_find(ARCHIVE_HELPER, "archive", "", X_OK);

	(void)state;
	if (!helper) {
		print_message("# built without libarchive\n");
		exit(77);
	}
	unpack_dir = root_make();
	dir = root_make();
	return setenv("TMPDIR", unpack_dir, 1);
}

static int tear_down(void **state)
{
	(void)state;
	root_remove(unpack_dir);
	root_remove(dir);
	return 0;
}

static char *in_dir(const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

/* What nftw() needs beside its path. */
static struct archive_helper *packing;
static size_t packing_from;

static int pack_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	cleanup_free char *bytes = NULL;
	cleanup_close int fd = -1;
	struct err err = { 0 };

	(void)ftw;
	if (flag != FTW_F)
		return 0;
	bytes = malloc((size_t)st->st_size + 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st->st_size), st->st_size);
	assert_int_equal(archive_add_file(packing, path + packing_from, bytes, (size_t)st->st_size, &err), 0);
	return 0;
}

/* The captured root `from` as an archive at `path`. */
static void pack_root(const char *from, const char *path)
{
	struct archive_helper helper = ARCHIVE_HELPER_INIT;
	cleanup_close int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	struct err err = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(archive_create(fd, archive_filter(path), &helper, &err), 0);
	packing = &helper;
	packing_from = strlen(from) + 1;
	assert_int_equal(nftw(from, pack_one, 16, FTW_PHYS), 0);
	assert_int_equal(archive_add_link(&helper, "sys/devices/system/cpu/self", "../cpu", &err), 0);
	assert_int_equal(archive_finish(&helper, &err), 0);
	archive_close(&helper);
}

static void assert_nothing_left(void)
{
	cleanup_dir DIR *stream = opendir(unpack_dir);
	const struct dirent *entry;

	assert_non_null(stream);
	while ((entry = readdir(stream)))
		assert_true(entry->d_name[0] == '.');
}

static void every_compression_is_read_and_nothing_is_left_behind(void **state)
{
	static const char *const names[] = { "a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tbz2", "a.tar.xz", "a.txz" };
	char *const root = root_make();

	(void)state;
	root_put_machine(root, 2, 4);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_machine struct machine *machine = NULL;
		cleanup_free char *path = in_dir(names[i]);
		struct err err = { 0 };

		pack_root(root, path);
		if (machine_read(path, &machine, &err) < 0)
			fail_msg("%s: %s", path, err.text);
		assert_int_equal(machine->source, MACHINE_ROOT);
		assert_string_equal(machine->source_name, path);
		assert_int_equal(machine->core_count, 4);
		assert_int_equal(machine->node_count, 2);
		assert_nothing_left();
		assert_int_equal(unlink(path), 0);
	}
	root_remove(root);
}

/* One member of a tar archive, as its header is laid out (POSIX ustar). */
static void put_member(FILE *file, char type, const char *name, const char *target, size_t size, const char *bytes)
{
	char block[512] = { 0 };
	unsigned sum = 0;

	(void)snprintf(block, 100, "%s", name);
	(void)snprintf(block + 100, 8, "0000644");
	(void)snprintf(block + 108, 8, "0000000");
	(void)snprintf(block + 116, 8, "0000000");
	(void)snprintf(block + 124, 12, "%011llo", (unsigned long long)size & ((1ULL << 33) - 1));
	(void)snprintf(block + 136, 12, "00000000000");
	memset(block + 148, ' ', 8);
	block[156] = type;
	(void)snprintf(block + 157, 100, "%s", target);
	(void)snprintf(block + 257, 6, "ustar");
	block[263] = block[264] = '0';
	for (size_t i = 0; i < sizeof(block); i++)
		sum += (unsigned char)block[i];
	(void)snprintf(block + 148, 8, "%06o", sum & 0777777);
	assert_int_equal(fwrite(block, 1, sizeof(block), file), sizeof(block));
	if (bytes) {
		memset(block, 0, sizeof(block));
		(void)snprintf(block, sizeof(block), "%s", bytes);
		assert_int_equal(fwrite(block, 1, sizeof(block), file), sizeof(block));
	}
}

static void assert_refused(const char *path, const char *why)
{
	struct machine *machine = NULL;
	struct err err = { 0 };
	int r = machine_read(path, &machine, &err);

	machine_free(machine);
	if (r >= 0 || !strstr(err.text, why))
		fail_msg("'%s' for %s", err.text, why);
	assert_null(strchr(err.text, '\n'));
	assert_nothing_left();
}

static void names_that_leave_the_folder_are_refused(void **state)
{
	static const char *const names[] = {
		"/tmp/fettle-victim", "../fettle-victim", "a/../../fettle-victim", "..", "./..", "a\n/../\033x"
	};
	cleanup_free char *path = in_dir("hostile.tar");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		FILE *const file = fopen(path, "we");

		assert_non_null(file);
		put_member(file, '0', names[i], "", 4, "evil");
		assert_int_equal(fclose(file), 0);
		assert_refused(path, "leaves its folder");
	}
	assert_true(access("/tmp/fettle-victim", F_OK) < 0);
}

static bool is_in(const char *where, const char *name)
{
	char path[512];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", where, name);
	return lstat(path, &st) == 0;
}

static void links_out_devices_and_doubles_are_left_out(void **state)
{
	static const char *const absent[] = { "d/up", "again", "device", "block-device", "fifo", "hard", "through" };
	cleanup_free char *path = in_dir("links.tar"), *victim = in_dir("victim"), *where = NULL;
	cleanup_archive struct archive_helper helper = ARCHIVE_HELPER_INIT;
	FILE *const file = fopen(path, "we");
	cleanup_close int fd = -1;
	struct err err = { 0 };

	(void)state;
	assert_non_null(file);
	assert_int_equal(mkdir(victim, 0700), 0);
	put_member(file, '2', "absolute", victim, 0, NULL);
	put_member(file, '0', "absolute/file", "", 4, "evil");
	put_member(file, '2', "d/up", "../..", 0, NULL);
	put_member(file, '2', "d/root", "..", 0, NULL);
	/* Real ways lead up through a link that itself stays inside. */
	put_member(file, '2', "again", "d/root/../..", 0, NULL);
	put_member(file, '0', "d/root/through", "", 4, "evil");
	put_member(file, '2', "d/self", "self", 0, NULL);
	put_member(file, '3', "device", "", 0, NULL);
	put_member(file, '4', "block-device", "", 0, NULL);
	put_member(file, '6', "fifo", "", 0, NULL);
	put_member(file, '1', "hard", "/etc/passwd", 0, NULL);
	put_member(file, '0', "twice", "", 4, "good");
	put_member(file, '0', "twice", "", 4, "evil");
	put_member(file, '0', "twice/below", "", 4, "evil");
	put_member(file, '0', "good/./file", "", 4, "good");
	assert_int_equal(fclose(file), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (archive_unpack(fd, &helper, &where, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
		if (is_in(where, absent[i]))
			fail_msg("'%s' was unpacked", absent[i]);
	}
	assert_true(is_in(where, "d/root") && is_in(where, "d/self") && is_in(where, "good/file"));
	assert_false(is_in(victim, "file"));
	archive_close(&helper);
	assert_nothing_left();
}

static void damaged_and_endless_archives_are_one_line(void **state)
{
	cleanup_free char *path = in_dir("bad.tar"), *good = in_dir("good.tar.gz");
	char *const root = root_make();
	FILE *file = fopen(path, "we");
	struct stat st;

	(void)state;
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_refused(path, "damaged");
	file = fopen(path, "we");
	put_member(file, '0', "huge", "", (size_t)4 << 30, NULL);
	assert_int_equal(fclose(file), 0);
	assert_refused(path, "more than any machine");
	file = fopen(path, "we");
	put_member(file, '0', "cut", "", 1000, "off");
	assert_int_equal(fclose(file), 0);
	assert_refused(path, "damaged");
	file = fopen(path, "we");
	put_member(file, '0', "nothing", "", 0, NULL);
	assert_int_equal(fclose(file), 0);
	assert_refused(path, "no 'sys/devices/system/cpu' in it");
	/* Every way a download can end early. */
	root_put_machine(root, 1, 2);
	pack_root(root, good);
	assert_int_equal(stat(good, &st), 0);
	for (off_t cut = st.st_size - 1; cut > 0; cut = cut * 2 / 3) {
		assert_int_equal(truncate(good, cut), 0);
		assert_refused(good, "cannot read machine");
	}
	root_remove(root);
}

static void the_folder_goes_when_fettle_is_killed(void **state)
{
	cleanup_free char *path = in_dir("killed.tar");
	FILE *const file = fopen(path, "we");
	int fds[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_non_null(file);
	put_member(file, '0', "file", "", 4, "good");
	assert_int_equal(fclose(file), 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct archive_helper helper = ARCHIVE_HELPER_INIT;
		const int fd = open(path, O_RDONLY | O_CLOEXEC);
		struct err err = { 0 };
		char *where = NULL;

		if (archive_unpack(fd, &helper, &where, &err) == 0 && is_in(where, "file") &&
		    write(fds[1], "x", 1) == 1)
			(void)pause();
		_exit(1);
	}
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	(void)close(fds[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (unsigned i = 0; i < 500; i++) {
		cleanup_dir DIR *stream = opendir(unpack_dir);
		const struct dirent *entry;
		unsigned left = 0;

		assert_non_null(stream);
		while ((entry = readdir(stream)))
			left += entry->d_name[0] != '.';
		if (!left)
			return;
		(void)usleep(20000);
	}
	fail_msg("the folder is still there");
}

/* Made by `fettle machine --capture` on a virtual machine of two CPUs, bound to the second, under a parent's quota. */
static void a_capture_of_our_own_tells_its_limits(void **state)
{
	cleanup_machine struct machine *machine = NULL;
	struct err err = { 0 };
	char path[512];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/machines/bound-in-quota.tar.xz", getenv("FETTLE_TEST_DATA"));
	if (machine_read(path, &machine, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(machine->pu_count, 2);
	assert_int_equal(machine->core_count, 2);
	assert_string_equal(machine->architecture, "x86_64");
	assert_int_equal(hwloc_bitmap_weight(machine->limits.pus_os), 1);
	assert_true(hwloc_bitmap_isset(machine->limits.pus_os, 1));
	assert_string_equal(machine->limits.pus.source, "sched_getaffinity");
	assert_int_equal(machine->limits.quota_milli.value, 1500);
	assert_string_equal(machine->limits.quota_milli.source, "/sys/fs/cgroup/cpu/example/cpu.cfs_quota_us");
	assert_int_equal(machine->limits.memory_bytes.state, FACT_ABSENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_compression_is_read_and_nothing_is_left_behind),
		cmocka_unit_test(a_capture_of_our_own_tells_its_limits),
		cmocka_unit_test(names_that_leave_the_folder_are_refused),
		cmocka_unit_test(links_out_devices_and_doubles_are_left_out),
		cmocka_unit_test(damaged_and_endless_archives_are_one_line),
		cmocka_unit_test(the_folder_goes_when_fettle_is_killed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
