/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's record as fettle makes, names and reads it; what agents write is played here. */
#include "observe/agent.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/record.h"
#include "base/sysroot.h"
#include "report/agent_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

static const char plan[] = "FETTLE_PLAN=1;i=0/1;cpus=0-1;mask=0-1;pin=none;mem=none;set=OMP_NUM_THREADS,GONE,LAST";
static const char *const given[] = { "OMP_NUM_THREADS=4", plan, "LAST=", "OTHER=1", NULL };

/* The same file, to be written. */
static struct agent_record *writable(const struct agent_file *file)
{
	struct agent_record *record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);

	assert_true(record != MAP_FAILED);
	return record;
}

static void make(struct agent_file *file)
{
	struct err err = { 0 };

	assert_int_equal(agent_file_make(given, file, &err), 0);
}

static void planned_values_are_noted_by_their_hash(void **state)
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT;

	(void)state;
	make(&file);
	assert_int_equal(file.record->variable_count, 2); /* one that has no value is not watched */
	assert_string_equal(file.record->variables[0].name, "OMP_NUM_THREADS");
	assert_true(file.record->variables[0].hash == agent_hash("4"));
	assert_string_equal(file.record->variables[1].name, "LAST");
	assert_true(agent_hash("") == 0xcbf29ce484222325 && agent_hash("a") == 0xaf63dc4c8601ec8c);
}

static void more_variables_than_there_is_room_for(void **state)
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT;
	char words[100][16], list[2048] = "FETTLE_PLAN=1;set=";
	const char *environment[102];
	struct err err = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(words[i], sizeof(words[i]), "VARIABLE%u=1", i);
		environment[i] = words[i];
		(void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%sVARIABLE%u", i ? "," : "", i);
	}
	environment[100] = list;
	environment[101] = NULL;
	assert_int_equal(agent_file_make(environment, &file, &err), 0);
	assert_int_equal(file.record->variable_count, AGENT_VARIABLES);
	assert_int_equal(file.record->variables_left_out, 100 - AGENT_VARIABLES);
}

static void its_place_is_told_in_the_plan_and_found_there(void **state)
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT, found = AGENT_FILE_INIT;
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	char *environment[] = { strdup("A=1;set="), strdup(plan), NULL };
	const char *told;
	struct err err = { 0 };
	size_t length;

	(void)state;
	make(&file);
	assert_int_equal(agent_file_tell(&file, environment), 0);
	assert_string_equal(environment[0], "A=1;set=");
	told = strchr(environment[1], '=') + 1;
	assert_string_equal(record_field(told, "set=", &length), "OMP_NUM_THREADS,GONE,LAST");
	assert_non_null(record_field(told, "mem=", &length));
	assert_true(agent_file_named(told));
	assert_false(agent_file_named(strchr(plan, '=') + 1));
	assert_int_equal(sysroot_open(&root, "/", &err), 0);
	assert_int_equal(agent_file_find(&root, told, &found), 0);
	assert_true(found.record->cookie == file.record->cookie);
	/* Gone with its fettle; then the number may be another file's. */
	agent_file_close(&file);
	agent_file_close(&found);
	assert_int_equal(agent_file_find(&root, told, &found), -ENOENT);
	assert_int_equal(agent_file_find(&root, strchr(plan, '=') + 1, &found), -ENOENT);
	assert_int_equal(agent_file_find(&root, "1;rec=1:x;set=", &found), -EINVAL);
	free(environment[0]);
	free(environment[1]);
}

static void what_is_no_record_is_refused(void **state)
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT, found = AGENT_FILE_INIT;
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	struct agent_record *record;
	struct err err = { 0 };
	char told[96];

	(void)state;
	make(&file);
	assert_int_equal(sysroot_open(&root, "/", &err), 0);
	(void)snprintf(told, sizeof(told), "1;rec=%d:%d:%016llx;set=", (int)getpid(), file.fd,
		       (unsigned long long)file.record->cookie);
	record = writable(&file);
	record->version++;
	assert_int_equal(agent_file_find(&root, told, &found), -EINVAL);
	record->version--;
	assert_int_equal(agent_file_find(&root, told, &found), 0);
	(void)munmap(record, sizeof(*record));
}

static void nobody_can_make_it_smaller(void **state)
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT;

	(void)state;
	make(&file);
	assert_int_equal(ftruncate(file.fd, 0), -1);
	assert_int_equal(fcntl(file.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

/* Two rows that began in the other order, a thread of each, and a runtime that two threads noticed at once. */
static void play(struct agent_record *record)
{
	struct agent_process *child = &record->processes[0], *first = &record->processes[3];

	*first = (struct agent_process){ .pid = 10, .parent = 1, .begun_ns = 5, .forked_from = -1, .changed = 3 };
	*child =
		(struct agent_process){ .pid = 11, .parent = 10, .begun_ns = 6, .forked_from = 3, .changed_before = 2 };
	first->given.words[0] = 0xf0;
	first->given.words[127] = 1ULL << 63;
	memset(first->chooser, 'x', sizeof(first->chooser)); /* without an end */
	first->runtime_count = 9;
	for (unsigned i = 0; i < AGENT_RUNTIMES; i++) {
		memcpy(first->runtimes[i].path, i % 2 ? "/b" : "/a", 3);
		first->runtimes[i].threads = i;
	}
	first->threads_started = 2;
	record->threads[7] = (struct agent_thread){ .process = 3, .tid = 12, .flags = AGENT_OF_RUNTIME };
	record->threads[8] = (struct agent_thread){ .process = 0, .tid = 13 };
	record->thread_states[7] = AGENT_RUNS;
	record->thread_states[8] = AGENT_ENDED;
	record->thread_states[9] = AGENT_FILLING;
	record->process_states[0] = AGENT_ENDED;
	record->process_states[1] = AGENT_FILLING;
	record->process_states[2] = 77;
	record->process_states[3] = AGENT_BECAME;
	record->processes_lost = 5;
}

static void what_is_written_is_read(void **state)
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT;
	const struct observed_agent_process *first, *child;
	struct observed_agent *agent = NULL;
	struct agent_record *record;
	json_t *document;

	(void)state;
	make(&file);
	record = writable(&file);
	play(record);
	assert_int_equal(agent_read(&file, &agent), 0);
	assert_int_equal(agent->process_count, 2);
	assert_int_equal(agent->processes_lost, 5);
	first = &agent->processes[0];
	child = &agent->processes[1];
	assert_true(first->pid == 10 && first->state == AGENT_BECAME && !first->forked && first->parent_idx == -1);
	assert_true(child->pid == 11 && child->state == AGENT_ENDED && child->forked && child->parent_idx == 0);
	assert_true(hwloc_bitmap_weight(first->given_os) == 5 && hwloc_bitmap_isset(first->given_os, 8191));
	assert_true(!first->last_os && !child->given_os && !child->malloc_owner);
	assert_int_equal(strlen(first->chooser), AGENT_PATH);
	assert_int_equal(first->changed.count, 2);
	assert_string_equal(child->changed_before.items[0], "LAST");
	assert_true(first->runtime_count == 2 && first->runtimes_left_out);
	assert_true(first->runtimes[0].threads == 2 && first->runtimes[1].threads == 4);
	assert_true(first->thread_count == 1 && first->threads[0].tid == 12 && first->threads[0].of_runtime);
	assert_ptr_equal(observed_agent_find(agent, 11), child);
	assert_ptr_equal(observed_agent_find(agent, 12), NULL);
	assert_ptr_equal(observed_agent_find(agent, 0), first);
	document = agent_to_json(agent);
	assert_non_null(document);
	json_decref(document);
	observed_agent_free(agent);
	(void)munmap(record, sizeof(*record));
}

static void an_untouched_one_says_nothing(void **state)
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT;
	struct observed_agent *agent = NULL;

	(void)state;
	make(&file);
	assert_int_equal(agent_read(&file, &agent), 0);
	assert_int_equal(agent->process_count, 0);
	assert_ptr_equal(observed_agent_find(agent, 0), NULL);
	observed_agent_free(agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planned_values_are_noted_by_their_hash),
		cmocka_unit_test(more_variables_than_there_is_room_for),
		cmocka_unit_test(its_place_is_told_in_the_plan_and_found_there),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(nobody_can_make_it_smaller),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(an_untouched_one_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
