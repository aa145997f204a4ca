/* SPDX-License-Identifier: Apache-2.0 */
#include "page-count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MAX_NODES = 64, CHUNK = 1024, TEXT_BYTES = 1 << 20 };

/* Pages by node. */
struct tally {
	size_t pages[MAX_NODES];
};

static char maps[TEXT_BYTES], numa_maps[TEXT_BYTES];

void page_count_fail(const char *what)
{
	perror(what);
	exit(1);
}

static void read_file(const char *path, char *text)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n = 1;

	if (fd < 0)
		page_count_fail(path);
	while (have < TEXT_BYTES - 1 && (n = read(fd, text + have, TEXT_BYTES - 1 - have)) > 0)
		have += (size_t)n;
	if (n != 0)
		page_count_fail(path);
	(void)close(fd);
	text[have] = '\0';
}

/* Add the pages from `start` on that are in memory; -ENOENT and the like are pages nobody touched. */
static void tally_pages(uintptr_t start, size_t pages, struct tally *tally)
{
	static __thread void *addresses[CHUNK];
	static __thread int status[CHUNK];

	while (pages) {
		const size_t n = pages < CHUNK ? pages : CHUNK;

		for (size_t i = 0; i < n; i++)
			addresses[i] = (void *)(start + i * PAGE); // NOLINT(performance-no-int-to-ptr)
		if (syscall(SYS_move_pages, 0, n, addresses, NULL, status, 0) < 0)
			page_count_fail("move_pages");
		for (size_t i = 0; i < n; i++) {
			if (status[i] >= 0 && status[i] < MAX_NODES)
				tally->pages[status[i]]++;
		}
		start += n * PAGE;
		pages -= n;
	}
}

/* numa_maps' line of the mapping at `start`: "7f..000 default anon=4096 N0=2048 N1=2048 kernelpagesize_kB=4". */
static void tally_numa_maps(uintptr_t start, struct tally *tally)
{
	const char *line = numa_maps;

	while (*line && strtoul(line, NULL, 16) != start) {
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	for (const char *p = line; *p && *p != '\n'; p++) {
		char *end;
		size_t node;

		if (p[0] != ' ' || p[1] != 'N')
			continue;
		node = strtoul(p + 2, &end, 10);
		if (end > p + 2 && *end == '=' && node < MAX_NODES)
			tally->pages[node] += strtoul(end + 1, NULL, 10);
	}
}

static void print_tally(FILE *stream, const struct tally *tally)
{
	for (int node = 0; node < MAX_NODES; node++) {
		if (tally->pages[node])
			(void)fprintf(stream, " %d:%zu", node, tally->pages[node]);
	}
	(void)fprintf(stream, "\n");
}

static bool touches(const struct page_range *ranges, size_t count, uintptr_t start, uintptr_t end)
{
	for (size_t i = 0; i < count; i++) {
		if ((uintptr_t)ranges[i].start >= start && (uintptr_t)ranges[i].start < end)
			return true;
	}
	return false;
}

/* Do both ways of counting agree about every mapping that holds one of the ranges? `stream`: where to say that not. */
static bool agree(const char *label, const struct page_range *ranges, size_t count, FILE *stream)
{
	read_file("/proc/self/maps", maps);
	read_file("/proc/self/numa_maps", numa_maps);
	for (const char *line = maps; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		struct tally by_page = { { 0 } }, by_mapping = { { 0 } };
		char *next;
		const uintptr_t start = strtoul(line, &next, 16), end = strtoul(next + 1, NULL, 16);

		if (!touches(ranges, count, start, end))
			continue;
		tally_pages(start, (end - start) / PAGE, &by_page);
		tally_numa_maps(start, &by_mapping);
		if (memcmp(&by_page, &by_mapping, sizeof(by_page)) == 0)
			continue;
		if (stream) {
			(void)fprintf(stream, "page-probe: %s: mapping %lx: move_pages says", label, start);
			print_tally(stream, &by_page);
			(void)fprintf(stream, "numa_maps says");
			print_tally(stream, &by_mapping);
		}
		return false;
	}
	return true;
}

/* The kernel collapses small pages into huge ones meanwhile, and a page on the move is not there for move_pages. */
static void compare(const char *label, const struct page_range *ranges, size_t count)
{
	enum { TRIES = 10 };
	static const struct timespec pause = { 0, 100000000 };

	for (int i = 1; i < TRIES; i++) {
		if (agree(label, ranges, count, NULL))
			return;
		(void)nanosleep(&pause, NULL);
	}
	if (!agree(label, ranges, count, stderr))
		exit(1);
}

void page_count_tell(const char *label, const struct page_range *ranges, size_t count)
{
	struct tally tally = { { 0 } };
	uintptr_t done = 0; /* up to here the last range's pages are counted */

	for (size_t i = 0; i < count; i++) {
		uintptr_t first = (uintptr_t)ranges[i].start / PAGE * PAGE;
		const uintptr_t end = ((uintptr_t)ranges[i].start + ranges[i].bytes + PAGE - 1) / PAGE * PAGE;

		if (i && first < done && first + PAGE >= done)
			first = done;
		if (first < end)
			tally_pages(first, (end - first) / PAGE, &tally);
		done = end;
	}
	compare(label, ranges, count);
	printf("%s", label);
	print_tally(stdout, &tally);
}

size_t page_count_huge_kib(void)
{
	static const char key[] = "AnonHugePages:";
	const char *found;

	read_file("/proc/self/smaps_rollup", maps);
	found = strstr(maps, key);
	return found ? strtoul(found + strlen(key), NULL, 10) : 0;
}
