/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loader keeps a list of what it has loaded for debuggers: the program's dynamic section says where (DT_DEBUG), and
 * the kernel where the program is (auxv). glibc and musl lay it out alike (struct r_debug, struct link_map of link.h).
 */
#include "observe/objects.h"

#include "base/cleanup.h"
#include "observe/proc.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* What is not worth believing in. */
enum { MAP_MAX = 8192, HEADERS_MAX = 64, DYNAMIC_MAX = 1024, NAME_MAX_BYTES = 4096 };

/* Another process's memory. Words are as wide as its addresses. */
struct memory {
	int fd;
	size_t word;
};

static int read_bytes(const struct memory *memory, uint64_t address, void *buffer, size_t length)
{
	ssize_t got;

	if (address > (uint64_t)INT64_MAX)
		return -EFAULT;
	got = pread(memory->fd, buffer, length, (off_t)address);
	if (got < 0)
		return -errno;
	return (size_t)got == length ? 0 : -EFAULT;
}

static uint64_t word_at(const unsigned char *bytes, size_t word)
{
	uint64_t wide;
	uint32_t narrow;

	if (word == sizeof(wide)) {
		memcpy(&wide, bytes, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, bytes, sizeof(narrow));
	return narrow;
}

static int read_word(const struct memory *memory, uint64_t address, uint64_t *ret_value)
{
	unsigned char bytes[8];
	int r = read_bytes(memory, address, bytes, memory->word);

	if (r == 0)
		*ret_value = word_at(bytes, memory->word);
	return r;
}

/* A text of unknown length: up to the end of its page in one step, since the next page may not be there. */
static int read_text(const struct memory *memory, uint64_t address, char text[NAME_MAX_BYTES])
{
	size_t length = 0;

	while (length < NAME_MAX_BYTES - 1) {
		size_t step = 256 - (size_t)((address + length) % 256);
		int r;

		if (step > NAME_MAX_BYTES - 1 - length)
			step = NAME_MAX_BYTES - 1 - length;
		r = read_bytes(memory, address + length, text + length, step);
		if (r < 0)
			return r;
		if (memchr(text + length, '\0', step))
			return 0;
		length += step;
	}
	return -EFAULT;
}

/* Of the auxiliary vector, by type. */
struct start {
	uint64_t headers, header_count, loader, secure;
};

static void read_start(const unsigned char *auxv, size_t length, size_t word, struct start *start)
{
	for (size_t at = 0; at + 2 * word <= length; at += 2 * word) {
		const uint64_t value = word_at(auxv + at + word, word);

		switch (word_at(auxv + at, word)) {
		case AT_PHDR:
			start->headers = value;
			break;
		case AT_PHNUM:
			start->header_count = value;
			break;
		case AT_BASE:
			start->loader = value;
			break;
		case AT_SECURE:
			start->secure = value;
			break;
		default:
			break;
		}
	}
}

/* Where the program's dynamic section is in memory; 0: it has none. */
static int find_dynamic(const struct memory *memory, const struct start *start, uint64_t *ret_address)
{
	uint64_t bias = 0, dynamic = 0;
	bool has_bias = false;

	for (uint64_t i = 0; i < start->header_count && i < HEADERS_MAX; i++) {
		Elf64_Phdr wide;
		Elf32_Phdr narrow;
		int r;

		if (memory->word == 8) {
			r = read_bytes(memory, start->headers + i * sizeof(wide), &wide, sizeof(wide));
		} else {
			r = read_bytes(memory, start->headers + i * sizeof(narrow), &narrow, sizeof(narrow));
			wide = (Elf64_Phdr){ .p_type = narrow.p_type, .p_vaddr = narrow.p_vaddr };
		}
		if (r < 0)
			return r;
		if (wide.p_type == PT_PHDR) {
			bias = start->headers - wide.p_vaddr;
			has_bias = true;
		} else if (wide.p_type == PT_DYNAMIC) {
			dynamic = wide.p_vaddr;
		}
	}
	/* Without PT_PHDR the program stands where it was linked for. */
	*ret_address = dynamic ? dynamic + (has_bias ? bias : 0) : 0;
	return 0;
}

/* r_debug: version, first entry, an address to break at, and what the loader is at; 0: nothing. Each has a word. */
static int read_debug(const struct memory *memory, uint64_t debug, uint64_t *ret_first, bool *ret_loading)
{
	uint64_t state = 0;
	int r = debug ? read_word(memory, debug + memory->word, ret_first) : 0;

	if (r == 0 && debug)
		r = read_word(memory, debug + 3 * memory->word, &state);
	*ret_loading = !*ret_first || (uint32_t)state;
	return r;
}

static int find_list(const struct memory *memory, uint64_t dynamic, uint64_t *ret_first, bool *ret_loading)
{
	*ret_first = 0;
	for (size_t i = 0; i < DYNAMIC_MAX; i++) {
		uint64_t tag = 0, value = 0;
		int r = read_word(memory, dynamic + i * 2 * memory->word, &tag);

		if (r == 0)
			r = read_word(memory, dynamic + (i * 2 + 1) * memory->word, &value);
		if (r < 0 || tag == DT_NULL)
			return r;
		if (tag == DT_DEBUG)
			return read_debug(memory, value, ret_first, ret_loading);
	}
	return 0;
}

/* The object that holds the entry's dynamic section: names are as the loader found them, through links. */
static struct observed_object *at_address(struct observed_process *process, uint64_t address)
{
	for (size_t i = 0; i < process->object_count; i++) {
		if (address >= process->objects[i].low && address < process->objects[i].high)
			return &process->objects[i];
	}
	return NULL;
}

static int walk(const struct memory *memory, uint64_t entry, struct observed_process *process)
{
	for (int order = 0; entry && order < MAP_MAX; order++) {
		unsigned char words[4 * 8];
		struct observed_object *object;
		char name[NAME_MAX_BYTES];
		int r = read_bytes(memory, entry, words, 4 * memory->word);

		if (r < 0)
			return r;
		object = at_address(process, word_at(words + 2 * memory->word, memory->word));
		if (object && object->order < 0) {
			object->order = order;
			if (read_text(memory, word_at(words + memory->word, memory->word), name) == 0 && name[0]) {
				object->linked = strdup(name);
				if (!object->linked)
					return -ENOMEM;
			}
			process->link_map_known = true;
		}
		entry = word_at(words + 3 * memory->word, memory->word);
	}
	return 0;
}

/* Addresses of a program of 32 bits do not reach above 4 GiB, and its vector has words of 4 bytes: AT_SYSINFO_EHDR or
 * AT_HWCAP first, whose upper half would be a type of its own. */
static size_t word_of(const struct observe_request *request, const struct observed_process *process)
{
	unsigned char ident[EI_NIDENT] = { 0 };
	char path[PROC_PATH];
	cleanup_close int fd = -1;

	proc_path(path, process->pid, "exe");
	fd = sysroot_open_file(request->root, path);
	if (fd < 0 || read(fd, ident, sizeof(ident)) != (ssize_t)sizeof(ident))
		return sizeof(void *);
	return ident[EI_CLASS] == ELFCLASS32 ? 4 : 8;
}

int link_map_read(const struct observe_request *request, struct observation *observation,
		  struct observed_process *process, const unsigned char *auxv, size_t auxv_length)
{
	static const char what[] = "the order in which the process's loader has its libraries";
	struct memory memory = { .word = word_of(request, process) };
	cleanup_close int fd = -1;
	struct start start = { 0 };
	uint64_t dynamic = 0, first = 0;
	char path[PROC_PATH];
	int r;

	read_start(auxv, auxv_length, memory.word, &start);
	process->secure = start.secure != 0;
	process->statically_linked = start.headers && !start.loader;
	if (process->statically_linked || !start.headers)
		return 0;
	proc_path(path, process->pid, "mem");
	fd = sysroot_open_file(request->root, path);
	if (fd < 0)
		return proc_gap(observation, path, what, fd);
	memory.fd = fd;
	r = find_dynamic(&memory, &start, &dynamic);
	if (r == 0 && dynamic)
		r = find_list(&memory, dynamic, &first, &process->loading);
	if (r == 0 && first)
		r = walk(&memory, first, process);
	return r < 0 && r != -ENOMEM ? proc_gap(observation, path, what, r) : r;
}
