/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of a topology comes back whole under the key it was stored with, and under no other. */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/limits.h"
#include "machine/machine.h"
#include "machine/mounts.h"
#include "machine/topology_cache.h"
#include "machine/topology_key.h"
#include "machine/topology_pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

static const char *const specs[] = {
	"synthetic:package:2 [numa(memory=4GB)] l3:2 core:3 pu:2",
	"synthetic:package:4 [numa(memory=64GB)] l3:2 core:36 pu:2",
	"synthetic:core:1 pu:1",
};

static struct machine *read_spec(const char *spec)
{
	struct machine *machine = NULL;
	struct err err = { 0 };

	if (machine_read(spec, &machine, &err) < 0)
		fail_msg("%s: %s", spec, err.text);
	return machine;
}

static struct machine *read_data(const char *name)
{
	const char *dir = getenv("FETTLE_TEST_DATA");
	char path[512];

	assert_non_null(dir);
	(void)snprintf(path, sizeof(path), "%s/machines/%s", dir, name);
	return read_spec(path);
}

static char *document(const struct machine *machine)
{
	json_t *json = machine_to_json(machine);
	char *text = json_dumps(json, JSON_SORT_KEYS);

	json_decref(json);
	assert_non_null(text);
	return text;
}

/* A machine for unpacking into: as `like`, with nothing in it but its source. */
static struct machine *empty_like(const struct machine *like)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	assert_non_null(machine);
	machine->source = like->source;
	machine->source_name = strdup(like->source_name);
	return machine;
}

/* Limits are not packed: give `to` those of `from`, and the homes that follow from them. */
static void lend_limits(const struct machine *from, struct machine *to)
{
	assert_int_equal(hwloc_bitmap_copy(to->limits.pus_os, from->limits.pus_os), 0);
	assert_int_equal(hwloc_bitmap_copy(to->limits.nodes_os, from->limits.nodes_os), 0);
	assert_int_equal(fact_copy(&to->limits.pus, &from->limits.pus), 0);
	assert_int_equal(fact_copy(&to->limits.nodes, &from->limits.nodes), 0);
}

static void assert_same_machine(const struct machine *due, struct machine *got)
{
	cleanup_free char *due_text = document(due), *got_text = NULL;

	lend_limits(due, got);
	got_text = document(got);
	assert_string_equal(got_text, due_text);
	assert_int_equal(got->core_count, due->core_count);
	for (size_t c = 0; c < due->core_count; c++) {
		const struct machine_core *one = &due->cores[c], *two = &got->cores[c];

		assert_int_equal(one->package_idx, two->package_idx);
		assert_int_equal(one->l3_idx, two->l3_idx);
		assert_int_equal(one->kind_idx, two->kind_idx);
		assert_int_equal(one->pu_idx, two->pu_idx);
		assert_int_equal(one->pu_count, two->pu_count);
	}
	for (size_t i = 0; i < due->pu_count; i++) {
		assert_int_equal(due->pus[i].os, got->pus[i].os);
		assert_int_equal(due->pus[i].core_idx, got->pus[i].core_idx);
	}
	assert_int_equal(due->kinds_known, got->kinds_known);
}

static void check_round_trip(struct machine *machine)
{
	cleanup_machine struct machine *owned = machine, *back = empty_like(machine);
	cleanup_text struct text bytes = TEXT_INIT;

	topology_pack(owned, &bytes);
	assert_int_equal(topology_unpack(bytes.data, bytes.length, back), 0);
	assert_same_machine(owned, back);
}

static void what_is_packed_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		check_round_trip(read_spec(specs[i]));
	check_round_trip(read_data("two-nodes-smt.xml"));
	check_round_trip(read_data("memory-only-node.xml"));
	check_round_trip(read_data("hybrid.xml"));
}

static void a_part_of_it_is_refused(void **state)
{
	cleanup_machine struct machine *machine = read_data("hybrid.xml");
	cleanup_text struct text bytes = TEXT_INIT;

	(void)state;
	topology_pack(machine, &bytes);
	for (size_t length = 0; length < bytes.length; length++) {
		cleanup_machine struct machine *back = empty_like(machine);
		/* A block of its own: reading past its end is then seen. */
		cleanup_free char *part = malloc(length + 1);

		memcpy(part, bytes.data, length);
		assert_int_equal(topology_unpack(part, length, back), -EBADMSG);
	}
}

static void indexes_out_of_bounds_are_refused(void **state)
{
	cleanup_machine struct machine *machine = read_spec(specs[0]);
	struct machine_core *core = &machine->cores[0];
	const struct machine_core kept = *core;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		cleanup_machine struct machine *back = empty_like(machine);
		cleanup_text struct text bytes = TEXT_INIT;

		core->package_idx = i == 0 ? 1000 : kept.package_idx;
		core->l3_idx = i == 1 ? 1000 : kept.l3_idx;
		core->kind_idx = i == 2 ? 1000 : kept.kind_idx;
		topology_pack(machine, &bytes);
		assert_int_equal(topology_unpack(bytes.data, bytes.length, back), -EBADMSG);
	}
}

struct scene {
	char dir[64];
	char folder[96]; /* of the cache: not there yet */
	struct machine *machine;
	struct sysroot root; /* prepared files, below `dir` */
};

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	return remove(path);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct err err = { 0 };

	assert_non_null(scene);
	scene->root = (struct sysroot)SYSROOT_INIT;
	(void)snprintf(scene->dir, sizeof(scene->dir), "/tmp/fettle-cache-XXXXXX");
	assert_non_null(mkdtemp(scene->dir));
	(void)snprintf(scene->folder, sizeof(scene->folder), "%s/home/.cache/fettle", scene->dir);
	scene->machine = read_spec(specs[0]);
	assert_int_equal(sysroot_open(&scene->root, scene->dir, &err), 0);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	sysroot_close(&scene->root);
	machine_free(scene->machine);
	assert_int_equal(nftw(scene->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(scene);
	return 0;
}

static void make_home(const struct scene *scene)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/home", scene->dir);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void store(const struct scene *scene, const char *key)
{
	assert_int_equal(topology_cache_store(scene->folder, key, scene->machine), 0);
}

/* Load; a success must give the very machine. */
static int load(const struct scene *scene, const char *key)
{
	cleanup_machine struct machine *back = empty_like(scene->machine);
	int r = topology_cache_load(scene->folder, key, back);

	if (r == 0)
		assert_same_machine(scene->machine, back);
	else
		assert_null(back->pus);
	return r;
}

/* The one file in the folder. */
static void slot_path(const struct scene *scene, char path[400])
{
	cleanup_dir DIR *dir = opendir(scene->folder);
	const struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, 400, "%s/%s", scene->folder, entry->d_name);
		count++;
	}
	assert_int_equal(count, 1); /* no temporary file stays */
}

static void what_is_stored_is_loaded(void **state)
{
	const struct scene *scene = *state;
	struct stat status;
	char path[400];

	make_home(scene);
	assert_int_equal(load(scene, "key"), -ENOENT);
	store(scene, "key");
	store(scene, "key");
	assert_int_equal(load(scene, "key"), 0);
	slot_path(scene, path);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(stat(scene->folder, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
}

/* Two keys of one slot: the later takes the file, and the earlier gets nothing, not the other's machine. */
static void another_key_gets_nothing(void **state)
{
	const struct scene *scene = *state;
	unsigned stale = 0;

	make_home(scene);
	store(scene, "key");
	for (unsigned i = 0; i < 200; i++) {
		char key[16];
		int r;

		(void)snprintf(key, sizeof(key), "key %u", i);
		r = load(scene, key);
		assert_true(r == -ENOENT || r == -ESTALE);
		stale += r == -ESTALE;
	}
	assert_true(stale > 0);
}

static void a_torn_file_is_not_used(void **state)
{
	const struct scene *scene = *state;
	struct stat status;
	char path[400];

	make_home(scene);
	store(scene, "key");
	slot_path(scene, path);
	assert_int_equal(stat(path, &status), 0);
	for (off_t at = 0; at < status.st_size; at += 7) {
		cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
		char byte;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(load(scene, "key"), -EBADMSG);
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(load(scene, "key"), 0);
	for (off_t length = status.st_size - 1; length >= 0; length -= 13) {
		assert_int_equal(truncate(path, length), 0);
		assert_int_equal(load(scene, "key"), -EBADMSG);
	}
	store(scene, "key");
	assert_int_equal(load(scene, "key"), 0);
}

static void what_others_may_write_is_not_trusted(void **state)
{
	static const mode_t modes[] = { 0720, 0702 };
	const struct scene *scene = *state;
	char path[400];

	make_home(scene);
	store(scene, "key");
	slot_path(scene, path);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_int_equal(chmod(path, modes[i] & 0666), 0);
		assert_int_equal(load(scene, "key"), -EPERM);
		assert_int_equal(chmod(path, 0600), 0);
		assert_int_equal(chmod(scene->folder, modes[i]), 0);
		assert_int_equal(load(scene, "key"), -EPERM);
		assert_int_equal(topology_cache_store(scene->folder, "key", scene->machine), -EPERM);
		assert_int_equal(chmod(scene->folder, 0700), 0);
	}
	assert_int_equal(load(scene, "key"), 0);
}

static void what_others_own_is_not_trusted(void **state)
{
	const struct scene *scene = *state;
	char path[400];

	if (geteuid() != 0) {
		print_message("# only root can give files away\n");
		skip();
	}
	make_home(scene);
	store(scene, "key");
	slot_path(scene, path);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(load(scene, "key"), -EPERM);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(scene->folder, 65534, 65534), 0);
	assert_int_equal(load(scene, "key"), -EPERM);
	assert_int_equal(topology_cache_store(scene->folder, "key", scene->machine), -EPERM);
}

/* sudo keeps HOME on many systems: a folder of root's there would shut the user out. */
static void nothing_is_left_in_anothers_home(void **state)
{
	const struct scene *scene = *state;
	char path[128];

	if (geteuid() != 0) {
		print_message("# only root can give files away\n");
		skip();
	}
	make_home(scene);
	(void)snprintf(path, sizeof(path), "%s/home", scene->dir);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(topology_cache_store(scene->folder, "key", scene->machine), -EPERM);
	(void)snprintf(path, sizeof(path), "%s/home/.cache", scene->dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void links_are_not_followed(void **state)
{
	const struct scene *scene = *state;
	char path[400], elsewhere[128];

	make_home(scene);
	store(scene, "key");
	slot_path(scene, path);
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", scene->dir);
	assert_int_equal(rename(path, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, path), 0);
	assert_int_equal(load(scene, "key"), -ELOOP);
	store(scene, "key"); /* replaces the link, not what it names */
	assert_int_equal(load(scene, "key"), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(load(scene, "key"), -EPERM);
}

static void put_file(const struct scene *scene, const char *path, const char *content)
{
	char full[512];
	cleanup_file FILE *file = NULL;

	(void)snprintf(full, sizeof(full), "%s%s", scene->dir, path);
	for (char *slash = strchr(full + strlen(scene->dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	file = fopen(full, "we");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
}

static char *key_of(const struct scene *scene)
{
	cleanup_mounts struct mounts mounts = { NULL };

	assert_int_equal(mounts_read(&scene->root, &mounts), 0);
	return topology_key(&scene->root, &mounts);
}

#define SYS_MOUNT "20 1 0:19 / /sys rw - sysfs sysfs rw\n"

static void put_keys(const struct scene *scene)
{
	put_file(scene, "/proc/self/mountinfo", SYS_MOUNT "21 20 0:20 / /sys/firmware ro - tmpfs tmpfs ro\n");
	put_file(scene, "/proc/sys/kernel/random/boot_id", "0d1e-1\n");
	put_file(scene, "/sys/devices/system/cpu/online", "0-3\n");
	put_file(scene, "/sys/devices/system/node/online", "0-1\n");
	put_file(scene, "/sys/devices/system/node/has_memory", "0-1\n");
}

/* Another boot; a CPU gone; a node gone; memory taken from a node. */
static void whatever_changes_changes_the_key(void **state)
{
	static const char *const changes[][2] = {
		{ "/proc/sys/kernel/random/boot_id", "0d1e-2\n" },
		{ "/sys/devices/system/cpu/online", "0-2\n" },
		{ "/sys/devices/system/node/online", "0\n" },
		{ "/sys/devices/system/node/has_memory", "1\n" },
	};
	const struct scene *scene = *state;
	cleanup_free char *before = NULL;

	put_keys(scene);
	before = key_of(scene);
	assert_non_null(before);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		cleanup_free char *changed = NULL, *after = NULL;

		put_file(scene, changes[i][0], changes[i][1]);
		changed = key_of(scene);
		assert_non_null(changed);
		assert_string_not_equal(changed, before);
		put_keys(scene);
		after = key_of(scene);
		assert_string_equal(after, before);
	}
	/* What no prepared file can show stands in it by name. */
	assert_non_null(strstr(before, "\nprogram "));
	assert_non_null(strstr(before, "\nhwloc "));
	assert_non_null(strstr(before, "\nkernel "));
	assert_non_null(strstr(before, "\nmemory "));
}

static void no_key_without_its_files(void **state)
{
	static const char *const needed[] = { "/proc/sys/kernel/random/boot_id", "/sys/devices/system/cpu/online" };
	const struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		char full[512];

		put_keys(scene);
		(void)snprintf(full, sizeof(full), "%s%s", scene->dir, needed[i]);
		assert_int_equal(unlink(full), 0);
		assert_null(key_of(scene));
	}
}

/* lxcfs, a container's own /sys, or a test: such files may change while the kernel's own lists do not. */
static void mounts_over_what_hwloc_reads_give_no_key(void **state)
{
	static const char *const tables[] = {
		"",
		"20 1 0:19 /devices /sys rw - sysfs sysfs rw\n",
		"20 1 0:19 / /sys rw - tmpfs tmpfs rw\n",
		SYS_MOUNT "22 20 0:21 / /sys/devices rw - tmpfs tmpfs rw\n",
		SYS_MOUNT "22 20 0:21 / /sys/devices/system/cpu rw - fuse.lxcfs lxcfs rw\n",
		SYS_MOUNT "22 20 0:21 /x /sys/devices/system/cpu/cpu0/cpu_capacity rw - ext4 /dev/vda rw\n",
		SYS_MOUNT "22 20 0:21 /cpuinfo /proc/cpuinfo rw - fuse.lxcfs lxcfs rw\n",
		SYS_MOUNT "22 20 0:21 /meminfo /proc/meminfo rw - fuse.lxcfs lxcfs rw\n",
	};
	const struct scene *scene = *state;

	put_keys(scene);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		put_file(scene, "/proc/self/mountinfo", tables[i]);
		assert_null(key_of(scene));
	}
}

/* On this machine: what was stored under its key is what is read, with the limits of now. */
static void the_live_machine_is_remembered_without_its_limits(void **state)
{
	const struct scene *scene = *state;
	cleanup_machine struct machine *fresh = read_spec("live"), *first = NULL, *second = NULL;
	cleanup_free char *fresh_text = document(fresh), *first_text = NULL, *second_text = NULL;
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_mounts struct mounts mounts = { NULL };
	cleanup_free char *key = NULL;
	struct err err = { 0 };

	make_home(scene);
	assert_int_equal(sysroot_open(&root, "/", &err), 0);
	key = mounts_read(&root, &mounts) == 0 ? topology_key(&root, &mounts) : NULL;
	assert_int_equal(machine_read_cached("live", scene->folder, &first, &err), 0);
	first_text = document(first);
	assert_string_equal(first_text, fresh_text);
	if (!key) {
		print_message("# the topology of this machine is none to remember\n");
		assert_int_equal(access(scene->folder, F_OK), -1);
		skip();
	}
	/* A mark that only the remembered one can carry. */
	free(first->model);
	first->model = strdup("remembered");
	assert_int_equal(topology_cache_store(scene->folder, key, first), 0);
	assert_int_equal(machine_read_cached("live", scene->folder, &second, &err), 0);
	assert_string_equal(second->model, "remembered");
	free(second->model);
	second->model = fresh->model ? strdup(fresh->model) : NULL;
	second_text = document(second);
	assert_string_equal(second_text, fresh_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_comes_back),
		cmocka_unit_test(a_part_of_it_is_refused),
		cmocka_unit_test(indexes_out_of_bounds_are_refused),
		cmocka_unit_test_setup_teardown(what_is_stored_is_loaded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_key_gets_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_torn_file_is_not_used, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_others_may_write_is_not_trusted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_others_own_is_not_trusted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_left_in_anothers_home, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_are_not_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(whatever_changes_changes_the_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_key_without_its_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mounts_over_what_hwloc_reads_give_no_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_live_machine_is_remembered_without_its_limits, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
