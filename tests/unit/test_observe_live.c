/* SPDX-License-Identifier: Apache-2.0 */
/* This process as it sees itself: what no prepared tree can have. */
#include "observe/observe.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "target/elf_symbols.h"
#include "target/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct observation *observe(struct sysroot *root, uint64_t window_ns)
{
	const pid_t pids[] = { getpid() };
	struct observe_request request = {
		.root = root, .pids = pids, .count = 1, .ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK)
	};
	struct observation *observation = NULL;
	struct err err = { 0 };
	uint64_t begin;

	assert_int_equal(sysroot_open(root, "/", &err), 0);
	begin = now_ns();
	assert_int_equal(observe_start(&request, begin, &observation, &err), 0);
	while (now_ns() - begin < window_ns)
		;
	assert_int_equal(observe_look(&request, now_ns(), observation, &err), 0);
	assert_int_equal(observe_finish(&request, observation, &err), 0);
	return observation;
}

static void the_loader_s_list_and_the_owner_of_malloc_are_those_that_dl_functions_tell(void **state)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_observation struct observation *observation = observe(&root, 0);
	const struct observed_process *self = &observation->processes[0];
	const struct observed_owner *owner = &self->owners[SYMBOL_MALLOC];
	void *const address = dlsym(RTLD_DEFAULT, "malloc");
	const struct observed_object *object;

	(void)state;
	assert_true(self->objects_known);
	assert_true(self->link_map_known);
	assert_false(self->statically_linked);
	assert_true(owner->known && owner->for_all);
	object = &self->objects[owner->object_idx];
	assert_true((uint64_t)address >= object->low && (uint64_t)address < object->high);
	/* The program stands first, and each that the loader names has a place of its own. */
	for (const struct link_map *map = _r_debug.r_map; map; map = map->l_next) {
		size_t found = 0;

		for (size_t i = 0; i < self->object_count; i++)
			found += (uint64_t)map->l_ld >= self->objects[i].low &&
				 (uint64_t)map->l_ld < self->objects[i].high && self->objects[i].order >= 0;
		assert_true(found == 1 || strstr(map->l_name, "vdso"));
	}
}

static void a_busy_thread_computes_and_its_memory_is_known(void **state)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_observation struct observation *observation = observe(&root, 200000000);
	const struct observed_process *self = &observation->processes[0];

	(void)state;
	assert_int_equal(self->threads[0].tid, getpid());
	assert_true(self->threads[0].last.run_ns > self->threads[0].first.run_ns);
	assert_true(hwloc_bitmap_isset(self->threads[0].allowed_os, self->threads[0].last.cpu_os));
	assert_int_equal(self->rss_bytes.state, FACT_KNOWN);
	assert_true(self->peak_bytes.value >= self->rss_bytes.value);
	assert_non_null(self->environment);
	assert_int_equal(observation->instance_count, 1);
	assert_false(observation->instances[0].planned.known);
}

static void symbols_are_found_by_either_hash_table_and_what_is_only_needed_is_not(void **state)
{
	static const char *const names[] = { "malloc", "GOMP_parallel", "qsort", "no_such_function_at_all" };
	static const char *const own[] = { "_cmocka_run_group_tests", "cmocka_set_message_output", "main" };
	cleanup_close int libc = -1, self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool defined[4];
	Dl_info info;

	(void)state;
	assert_int_not_equal(dladdr(dlsym(RTLD_DEFAULT, "gnu_get_libc_version"), &info), 0);
	libc = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_symbols_defined(libc, names, 4, defined), 0);
	assert_true(defined[0] && defined[2]);
	assert_false(defined[1] || defined[3]);
	assert_int_equal(elf_symbols_defined(self, own, 3, defined), 0);
	assert_false(defined[0] || defined[1]);
	assert_int_equal(elf_symbols_defined(open("/proc/self/status", O_RDONLY | O_CLOEXEC), own, 3, defined),
			 -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loader_s_list_and_the_owner_of_malloc_are_those_that_dl_functions_tell),
		cmocka_unit_test(a_busy_thread_computes_and_its_memory_is_known),
		cmocka_unit_test(symbols_are_found_by_either_hash_table_and_what_is_only_needed_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
