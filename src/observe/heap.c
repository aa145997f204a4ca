/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glibc's main heap is one row of chunks: at the second word of each stand its size and, in the low bits, whether the
 * chunk before it is in use (malloc/malloc.c, "malloc_chunk details"). The last one, `top`, is free. What small caches
 * hold counts as in use there: little, beside what keeps a limit near.
 *
 * The program goes on while we read, so that a walk may lead nowhere: then it is begun again, and given up.
 */
#include "observe/heap.h"

#include "base/cleanup.h"
#include "observe/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { WALKS = 3, BLOCK_BYTES = 4096, BLOCKS_MAX = 32768, PAGES_STEP = 512 };
enum { PREVIOUS_IN_USE = 1, IS_MAPPED = 2, OTHER_ARENA = 4, FLAGS = 7, SMALLEST = 32, ALIGNED = 16 };

struct heap {
	int memory, pagemap;
	uint64_t low, high;
	uint64_t page_bytes;
	unsigned char block[BLOCK_BYTES];
	uint64_t block_at; /* address of what `block` holds; 0: nothing */
	unsigned blocks;   /* read so far */
};

static int read_word(struct heap *heap, uint64_t address, uint64_t *ret_word)
{
	const uint64_t at = address / BLOCK_BYTES * BLOCK_BYTES;

	if (heap->block_at != at) {
		if (heap->blocks++ == BLOCKS_MAX)
			return -E2BIG;
		if (pread(heap->memory, heap->block, BLOCK_BYTES, (off_t)at) != BLOCK_BYTES)
			return -EIO;
		heap->block_at = at;
	}
	memcpy(ret_word, heap->block + (address - at), sizeof(*ret_word));
	return 0;
}

/* Bytes of the range's whole pages that are in memory (pagemap, bit 63: Documentation/admin-guide/mm/pagemap.rst). */
static int resident(const struct heap *heap, uint64_t from, uint64_t to, uint64_t *sum)
{
	uint64_t first = (from + heap->page_bytes - 1) / heap->page_bytes, last = to / heap->page_bytes;

	while (first < last) {
		uint64_t entries[PAGES_STEP];
		const size_t count = last - first < PAGES_STEP ? (size_t)(last - first) : PAGES_STEP;

		if (pread(heap->pagemap, entries, count * sizeof(entries[0]), (off_t)(first * sizeof(entries[0]))) !=
		    (ssize_t)(count * sizeof(entries[0])))
			return -EIO;
		for (size_t i = 0; i < count; i++)
			*sum += entries[i] >> 63 ? heap->page_bytes : 0;
		first += count;
	}
	return 0;
}

/* One walk from the first chunk to the top. -EAGAIN: it led nowhere. */
static int walk(struct heap *heap, uint64_t *ret_kept)
{
	uint64_t before = 0, kept = 0;
	int r = 0;

	heap->block_at = 0;
	for (uint64_t at = heap->low; r == 0;) {
		uint64_t word = 0, size;

		r = read_word(heap, at + sizeof(word), &word);
		size = word & ~(uint64_t)FLAGS;
		if (r < 0)
			break;
		if (size < SMALLEST || size % ALIGNED || size > heap->high - at || (word & (IS_MAPPED | OTHER_ARENA)))
			return -EAGAIN;
		if (!(word & PREVIOUS_IN_USE) && before)
			r = resident(heap, before + 2 * sizeof(word), at, &kept);
		if (r == 0 && at + size == heap->high) {
			r = resident(heap, at + 2 * sizeof(word), heap->high, &kept);
			if (r == 0)
				*ret_kept = kept;
			return r;
		}
		before = at;
		at += size;
	}
	return r;
}

/* The mapping that the kernel calls the heap. False: there is none. */
static bool find(FILE *maps, struct heap *heap)
{
	cleanup_free char *line = NULL;
	size_t capacity = 0;

	while (getline(&line, &capacity, maps) > 0) {
		const char *at = line;
		uint64_t low, high;

		if (!strstr(line, " [heap]\n") || !proc_take(&at, 16, &low) || *at++ != '-' ||
		    !proc_take(&at, 16, &high))
			continue;
		if (heap->high != low)
			heap->low = low;
		heap->high = high;
	}
	return heap->high > heap->low;
}

static int open_file(const struct observe_request *request, const struct observed_process *process, const char *name)
{
	char path[PROC_PATH];

	proc_path(path, process->pid, name);
	return sysroot_open_file(request->root, path);
}

static bool is_glibc(const struct observed_process *process)
{
	const struct observed_owner *owner = &process->owners[SYMBOL_MALLOC];
	const char *const soname =
		owner->known && owner->object_idx >= 0 ? process->objects[owner->object_idx].soname : NULL;

	return soname && strcmp(soname, "libc.so.6") == 0;
}

int heap_read(const struct observe_request *request, struct observation *observation, struct observed_process *process)
{
	static const char what[] = "how much freed memory malloc keeps";
	cleanup_close int memory = -1, pagemap = -1;
	cleanup_file FILE *maps = NULL;
	struct heap heap = { .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE) };
	char path[PROC_PATH];
	uint64_t kept = 0;
	int r;

	if (!is_glibc(process))
		return 0;
	proc_path(path, process->pid, "maps");
	r = proc_open(request->root, observation, path, what, &maps);
	if (r != 1 || !find(maps, &heap))
		return r < 0 ? r : 0;
	memory = open_file(request, process, "mem");
	pagemap = open_file(request, process, "pagemap");
	heap.memory = memory;
	heap.pagemap = pagemap;
	r = memory < 0 ? memory : pagemap < 0 ? pagemap : -EAGAIN;
	for (unsigned i = 0; i < WALKS && r == -EAGAIN; i++)
		r = walk(&heap, &kept);
	(void)snprintf(path, sizeof(path), "/proc/%d/mem, the chunks of its heap", (int)process->pid);
	if (r < 0)
		return r == -ENOMEM ? r : proc_gap(observation, path, what, r);
	return fact_set(&process->kept_bytes, FACT_KNOWN, kept, path, NULL);
}
