/* SPDX-License-Identifier: Apache-2.0 */
#include "observe_scene.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "root_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void put_stat(const char *dir, const char *folder, int parent, const struct scene_thread *thread)
{
	char path[128], text[512];

	(void)snprintf(path, sizeof(path), "%s/stat", folder);
	(void)snprintf(
		text, sizeof(text),
		"%d (%s) %c %d 1 1 0 -1 4194560 0 0 0 0 %lu 0 %lu 0 20 0 1 0 %lu 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 "
		"%u 0 0 0 0 0\n",
		thread->tid, thread->name, thread->state ? thread->state : 'S', parent, thread->ticks,
		thread->child_ticks, thread->started ? thread->started : 1000, thread->cpu);
	root_put(dir, path, text);
}

static void put_files(const char *dir, const char *folder, const struct scene_thread *thread)
{
	char path[128], text[512];

	(void)snprintf(path, sizeof(path), "%s/status", folder);
	(void)snprintf(text, sizeof(text),
		       "Name:\t%s\nUid:\t1000\t1000\t1000\t1000\nVmHWM:\t  300000 kB\nVmRSS:\t  200000 kB\nRssAnon:\t  "
		       "150000 kB\n"
		       "VmSwap:\t       0 kB\nCpus_allowed:\tf\nCpus_allowed_list:\t%s\nvoluntary_ctxt_switches:\t%lu\n"
		       "nonvoluntary_ctxt_switches:\t%lu\n",
		       thread->name, thread->allowed ? thread->allowed : "0-3", thread->voluntary, thread->involuntary);
	root_put(dir, path, text);
	(void)snprintf(path, sizeof(path), "%s/sched", folder);
	(void)snprintf(text, sizeof(text),
		       "%s (%d, #threads: 1)\n---\nse.nr_migrations   :   %lu\ntotal_numa_faults   :  0\n",
		       thread->name, thread->tid, thread->migrations);
	root_put(dir, path, text);
	if (!thread->run_ns && !thread->wait_ns)
		return;
	(void)snprintf(path, sizeof(path), "%s/schedstat", folder);
	(void)snprintf(text, sizeof(text), "%llu %llu 7\n", thread->run_ns, thread->wait_ns);
	root_put(dir, path, text);
}

void scene_thread(const char *dir, int pid, const struct scene_thread *thread)
{
	char folder[64];

	(void)snprintf(folder, sizeof(folder), "proc/%d/task/%d", pid, thread->tid);
	put_stat(dir, folder, 1, thread);
	put_files(dir, folder, thread);
}

void scene_process(const char *dir, int parent, const struct scene_thread *thread)
{
	char folder[64];

	(void)snprintf(folder, sizeof(folder), "proc/%d", thread->tid);
	put_stat(dir, folder, parent, thread);
	put_files(dir, folder, thread);
	scene_thread(dir, thread->tid, thread);
}

void scene_file(const char *dir, int pid, const char *name, const char *bytes, size_t length)
{
	cleanup_file FILE *file = NULL;
	char path[128], whole[512];

	(void)snprintf(path, sizeof(path), "proc/%d/%s", pid, name);
	root_put(dir, path, length ? "" : bytes);
	if (!length)
		return;
	(void)snprintf(whole, sizeof(whole), "%s/%s", dir, path);
	file = fopen(whole, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
}

void scene_cpus(const char *dir, unsigned count, unsigned long busy, unsigned long idle, unsigned long steal)
{
	char text[2048];
	size_t length = (size_t)snprintf(text, sizeof(text), "cpu  0 0 0 0 0 0 0 0 0 0\n");

	for (unsigned os = 0; os < count; os++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "cpu%u %lu 0 0 %lu 0 0 0 %lu 0 0\n",
					   os, busy, idle, steal);
	root_put(dir, "proc/stat", text);
}

void scene_open(const char *dir, const int *pids, size_t count, struct sysroot *root, struct observe_request *request)
{
	struct err err = { 0 };

	*root = (struct sysroot)SYSROOT_INIT;
	assert_int_equal(sysroot_open(root, dir, &err), 0);
	*request = (struct observe_request){
		.root = root, .pids = pids, .count = count, .ticks_per_s = 100, .neighbours = true
	};
}
