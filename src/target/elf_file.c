/* SPDX-License-Identifier: Apache-2.0 */
#include "target/elf_file.h"

#include "base/cleanup.h"
#include "target/elf.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>

/* The linker's name for the header of the program this code is in: the machine we are ourselves. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); /* NOLINT(bugprone-reserved-identifier) */

enum {
	HEADERS_MAX = 65536, /* the kernel reads at most this much of program headers (ELF_MIN_ALIGN's largest value) */
	WINDOW_STEP = 4096,
	WINDOW_PARTS = 4,
};

struct field {
	size_t offset, size;
};

/* Where the two classes keep what we want. */
struct elf_layout {
	unsigned class;
	size_t header_size, segment_size, entry_size;
	struct field phoff, phentsize, phnum;                  /* in the file's header */
	struct field segment_type, position, address, content; /* in a program header */
	struct field tag, value;                               /* in an entry of the dynamic section */
};

#define FIELD(type, name)                                             \
	{                                                             \
		offsetof(type, name), sizeof(((const type *)0)->name) \
	}
#define LAYOUT(bits)                                                                                                \
	{                                                                                                           \
		.class = (bits), .header_size = sizeof(Elf##bits##_Ehdr), .segment_size = sizeof(Elf##bits##_Phdr), \
		.entry_size = sizeof(Elf##bits##_Dyn), .phoff = FIELD(Elf##bits##_Ehdr, e_phoff),                   \
		.phentsize = FIELD(Elf##bits##_Ehdr, e_phentsize), .phnum = FIELD(Elf##bits##_Ehdr, e_phnum),       \
		.segment_type = FIELD(Elf##bits##_Phdr, p_type), .position = FIELD(Elf##bits##_Phdr, p_offset),     \
		.address = FIELD(Elf##bits##_Phdr, p_vaddr), .content = FIELD(Elf##bits##_Phdr, p_filesz),          \
		.tag = FIELD(Elf##bits##_Dyn, d_tag), .value = FIELD(Elf##bits##_Dyn, d_un),                        \
	}

static const struct elf_layout layouts[] = { LAYOUT(32), LAYOUT(64) };

/* The same place in both classes. */
static const struct field field_type = FIELD(Elf64_Ehdr, e_type);
static const struct field field_machine = FIELD(Elf64_Ehdr, e_machine);

static uint64_t get(const unsigned char *bytes, struct field field, bool big)
{
	uint64_t value = 0;

	for (size_t i = 0; i < field.size; i++)
		value = value << 8 | bytes[field.offset + (big ? i : field.size - 1 - i)];
	return value;
}

/*
 * Headers and tables are read in small pieces that lie together, and from several places in turn: a table and the texts
 * it names. One system call serves many of them.
 */
struct elf_window {
	struct {
		uint64_t position;
		size_t length; /* less than all: the file ends there */
		unsigned char bytes[2 * WINDOW_STEP];
	} parts[WINDOW_PARTS];
	unsigned next; /* the part to be read anew: the others are younger */
};

/* At most `length` bytes at `position`. Returns their number or -errno. */
static ssize_t read_at(int fd, unsigned char *buffer, size_t length, uint64_t position)
{
	size_t done = 0;

	while (done < length) {
		ssize_t got = pread(fd, buffer + done, length - done, (off_t)(position + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* Copy the bytes out of a part that holds them all. */
static bool copy_part(const struct elf_window *window, void *buffer, size_t length, uint64_t position)
{
	for (unsigned i = 0; i < WINDOW_PARTS; i++) {
		const uint64_t first = window->parts[i].position;

		if (position < first || position + length > first + window->parts[i].length)
			continue;
		memcpy(buffer, window->parts[i].bytes + (position - first), length);
		return true;
	}
	return false;
}

int elf_file_read(const struct elf_file *file, void *buffer, size_t length, uint64_t position)
{
	struct elf_window *window = file->window;
	const unsigned part = window->next;
	const uint64_t start = position - position % WINDOW_STEP;
	ssize_t got;

	if (position > (uint64_t)INT64_MAX - length || start > (uint64_t)INT64_MAX - sizeof(window->parts[part].bytes))
		return -ENOEXEC;
	if (length > WINDOW_STEP) {
		got = read_at(file->fd, buffer, length, position);
		return got < 0 ? (int)got : (size_t)got == length ? 0 : -ENOEXEC;
	}
	if (copy_part(window, buffer, length, position))
		return 0;
	window->parts[part].length = 0;
	got = read_at(file->fd, window->parts[part].bytes, sizeof(window->parts[part].bytes), start);
	if (got < 0)
		return (int)got;
	window->parts[part].position = start;
	window->parts[part].length = (size_t)got;
	window->next = (part + 1) % WINDOW_PARTS;
	return copy_part(window, buffer, length, position) ? 0 : -ENOEXEC;
}

static int read_segments(struct elf_file *file, const unsigned char *header)
{
	const struct elf_layout *layout = file->layout;
	const uint64_t count = get(header, layout->phnum, file->big);
	const size_t length = (size_t)count * layout->segment_size;
	cleanup_free unsigned char *segments = NULL;
	int r;

	if (get(header, layout->phentsize, file->big) != layout->segment_size || !count || length > HEADERS_MAX)
		return -ENOEXEC;
	segments = malloc(length);
	if (!segments)
		return -ENOMEM;
	r = elf_file_read(file, segments, length, get(header, layout->phoff, file->big));
	if (r < 0)
		return r;
	file->segments = TAKE(segments);
	file->segment_count = (size_t)count;
	return 0;
}

int elf_file_open(int fd, struct elf_file *ret_file)
{
	unsigned char header[sizeof(Elf64_Ehdr)] = { 0 };
	cleanup_elf_file struct elf_file file = { .fd = fd, .window = calloc(1, sizeof(*file.window)) };
	uint64_t type;
	int r;

	if (!file.window)
		return -ENOMEM;
	r = elf_file_read(&file, header, EI_NIDENT, 0);
	if (r < 0)
		return r;
	if (!elf_begins((const char *)header, EI_NIDENT))
		return -ENOEXEC;
	if (header[EI_CLASS] != ELFCLASS32 && header[EI_CLASS] != ELFCLASS64)
		return -ENOEXEC;
	if (header[EI_DATA] != ELFDATA2LSB && header[EI_DATA] != ELFDATA2MSB)
		return -ENOEXEC;
	file.layout = &layouts[header[EI_CLASS] == ELFCLASS64];
	file.class = file.layout->class;
	file.big = header[EI_DATA] == ELFDATA2MSB;
	r = elf_file_read(&file, header, file.layout->header_size, 0);
	if (r < 0)
		return r;
	type = get(header, field_type, file.big);
	if (type != ET_EXEC && type != ET_DYN)
		return -ENOEXEC;
	file.machine = (unsigned)get(header, field_machine, file.big);
	r = read_segments(&file, header);
	if (r < 0)
		return r;
	*ret_file = file;
	file = (struct elf_file){ .fd = -1 };
	return 0;
}

void elf_file_close(struct elf_file *file)
{
	free(file->segments);
	free(file->window);
	file->segments = NULL;
	file->window = NULL;
}

struct elf_segment elf_file_segment(const struct elf_file *file, size_t i)
{
	const struct elf_layout *layout = file->layout;
	const unsigned char *bytes = file->segments + i * layout->segment_size;

	return (struct elf_segment){
		.type = get(bytes, layout->segment_type, file->big),
		.position = get(bytes, layout->position, file->big),
		.address = get(bytes, layout->address, file->big),
		.content = get(bytes, layout->content, file->big),
	};
}

size_t elf_file_entry_size(const struct elf_file *file)
{
	return file->layout->entry_size;
}

void elf_file_entry(const struct elf_file *file, const unsigned char *bytes, uint64_t *ret_tag, uint64_t *ret_value)
{
	*ret_tag = get(bytes, file->layout->tag, file->big);
	*ret_value = get(bytes, file->layout->value, file->big);
}

void elf_file_own(unsigned *ret_class, bool *ret_big, unsigned *ret_machine)
{
	*ret_class = __ehdr_start.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	*ret_big = __ehdr_start.e_ident[EI_DATA] == ELFDATA2MSB;
	*ret_machine = __ehdr_start.e_machine;
}
