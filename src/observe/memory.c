/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/memory.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "observe/proc.h"

#include <errno.h>
#include <string.h>

/* "VmRSS:     1234 kB" as bytes. Absent: a kernel thread, or a kernel that does not count it. */
static int take_kib(struct fact *fact, const char *text, const char *key, const char *path)
{
	char source[PROC_PATH + 32];
	uint64_t kib;

	(void)snprintf(source, sizeof(source), "%s %s", path, key);
	if (!proc_number(text, key, &kib))
		return fact_set(fact, FACT_ABSENT, 0, source, NULL);
	return fact_set(fact, FACT_KNOWN, kib * 1024, source, NULL);
}

static int read_status(const struct observe_request *request, struct observation *observation,
		       struct observed_process *process)
{
	cleanup_free char *text = NULL;
	char path[PROC_PATH];
	int r;

	proc_path(path, process->pid, "status");
	r = proc_read(request->root, observation, path, "the memory of the process", &text);
	if (r != 1)
		return r;
	if (take_kib(&process->rss_bytes, text, "VmRSS", path) < 0 ||
	    take_kib(&process->peak_bytes, text, "VmHWM", path) < 0 ||
	    take_kib(&process->anonymous_bytes, text, "RssAnon", path) < 0 ||
	    take_kib(&process->swap_bytes, text, "VmSwap", path) < 0)
		return -ENOMEM;
	return 0;
}

static int read_rollup(const struct observe_request *request, struct observation *observation,
		       struct observed_process *process)
{
	static const char *const keys[] = { "AnonHugePages", "Private_Hugetlb", "Shared_Hugetlb" };
	cleanup_free char *text = NULL;
	char path[PROC_PATH];
	uint64_t kib, sum = 0;
	int r;

	proc_path(path, process->pid, "smaps_rollup");
	r = proc_read(request->root, observation, path, "the huge pages of the process", &text);
	if (r != 1)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		sum += proc_number(text, keys[i], &kib) ? kib * 1024 : 0;
	return fact_set(&process->huge_bytes, FACT_KNOWN, sum, path, NULL);
}

static struct observed_pages *node(struct observed_process *process, unsigned node_os)
{
	struct observed_pages *grown;

	for (size_t i = 0; i < process->page_count; i++) {
		if (process->pages[i].node_os == node_os)
			return &process->pages[i];
	}
	grown = array_grow(process->pages, &process->page_capacity, process->page_count, sizeof(*grown));
	if (!grown)
		return NULL;
	process->pages = grown;
	grown += process->page_count++;
	*grown = (struct observed_pages){ .node_os = node_os };
	return grown;
}

/*
 * "ADDRESS POLICY [file=...] [huge] anon=N dirty=N N0=PAGES ... kernelpagesize_kB=4" (numa_maps, proc(5)). A file's
 * private pages are counted to the file: the words do not say which of a node's pages are which.
 */
static int take_line(struct observed_process *process, char *line)
{
	const char *size = strstr(line, "kernelpagesize_kB=");
	const uint64_t page = size ? strtoull(size + strlen("kernelpagesize_kB="), NULL, 10) * 1024 : 0;
	bool file = false, huge = false;
	char *save = NULL;

	for (char *word = strtok_r(line, " \n", &save); page && word; word = strtok_r(NULL, " \n", &save)) {
		struct observed_pages *pages;
		uint64_t node_os, count;
		const char *at = word + 1;

		file |= strncmp(word, "file=", strlen("file=")) == 0;
		huge |= strcmp(word, "huge") == 0;
		if (word[0] != 'N' || !proc_take(&at, 10, &node_os) || *at++ != '=' || !proc_take(&at, 10, &count))
			continue;
		pages = node(process, (unsigned)node_os);
		if (!pages)
			return -ENOMEM;
		if (huge)
			pages->huge_bytes += count * page;
		else if (file)
			pages->file_bytes += count * page;
		else
			pages->anonymous_bytes += count * page;
	}
	return 0;
}

/* The stack has no policy of its own, so that the kernel shows that of the main thread there: "ADDRESS default stack".
 */
static void take_policy(struct observed_process *process, const char *line)
{
	const char *const policy = strchr(line, ' '), *const name = strstr(line, " stack");

	if (policy && name && name > policy && (name[6] == ' ' || name[6] == '\n'))
		(void)snprintf(process->memory_policy, sizeof(process->memory_policy), "%.*s", (int)(name - policy - 1),
			       policy + 1);
}

static int read_numa(const struct observe_request *request, struct observation *observation,
		     struct observed_process *process)
{
	static const char what[] = "on which nodes the process's pages are";
	cleanup_file FILE *file = NULL;
	cleanup_free char *line = NULL;
	char path[PROC_PATH];
	size_t capacity = 0;
	int r;

	proc_path(path, process->pid, "numa_maps");
	r = proc_open(request->root, observation, path, what, &file);
	if (r != 1)
		return r;
	for (r = 0; r == 0 && getline(&line, &capacity, file) > 0;) {
		take_policy(process, line);
		r = take_line(process, line);
	}
	if (r == 0 && ferror(file))
		return proc_gap(observation, path, what, -EACCES);
	process->pages_known = process->page_count > 0;
	return r;
}

/* How many faults the kernel made only to see from where memory is used; a kernel without the count has no such line.
 */
static int read_faults(const struct observe_request *request, struct observed_process *process)
{
	cleanup_free char *text = NULL;
	char path[PROC_PATH];
	uint64_t faults;
	int r;

	proc_path(path, process->pid, "sched");
	r = sysroot_read(request->root, path, &text);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (!proc_number(text, "total_numa_faults", &faults))
		return fact_set(&process->numa_faults, FACT_ABSENT, 0, path, NULL);
	return fact_set(&process->numa_faults, FACT_KNOWN, faults, path, NULL);
}

int memory_read(const struct observe_request *request, struct observation *observation,
		struct observed_process *process)
{
	int r = read_status(request, observation, process);

	if (r == 0)
		r = read_rollup(request, observation, process);
	if (r == 0)
		r = read_numa(request, observation, process);
	return r < 0 ? r : read_faults(request, process);
}
