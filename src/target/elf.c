/* SPDX-License-Identifier: Apache-2.0 */
#include "target/elf.h"

#include "base/cleanup.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

/* The linker's name for the header of the program this code is in: the machine we are ourselves. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); /* NOLINT(bugprone-reserved-identifier) */

/* The kernel reads at most this much of program headers (ELF_MIN_ALIGN's largest value). */
enum { HEADERS_MAX = 65536 };

struct field {
	size_t offset, size;
};

/* Where the two classes keep what we want. */
struct layout {
	unsigned class;
	size_t header_size, segment_size;
	struct field phoff, phentsize, phnum;         /* in the file's header */
	struct field segment_type, position, content; /* in a program header */
};

#define FIELD(type, name)                                             \
	{                                                             \
		offsetof(type, name), sizeof(((const type *)0)->name) \
	}

static const struct layout layouts[] = {
	{ 32, sizeof(Elf32_Ehdr), sizeof(Elf32_Phdr), FIELD(Elf32_Ehdr, e_phoff), FIELD(Elf32_Ehdr, e_phentsize),
	  FIELD(Elf32_Ehdr, e_phnum), FIELD(Elf32_Phdr, p_type), FIELD(Elf32_Phdr, p_offset),
	  FIELD(Elf32_Phdr, p_filesz) },
	{ 64, sizeof(Elf64_Ehdr), sizeof(Elf64_Phdr), FIELD(Elf64_Ehdr, e_phoff), FIELD(Elf64_Ehdr, e_phentsize),
	  FIELD(Elf64_Ehdr, e_phnum), FIELD(Elf64_Phdr, p_type), FIELD(Elf64_Phdr, p_offset),
	  FIELD(Elf64_Phdr, p_filesz) },
};

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

/* Exactly `length` bytes at `position`, or -ENOEXEC where the file ends before. */
static int read_at(int fd, void *buffer, size_t length, uint64_t position)
{
	size_t done = 0;

	if (position > INT64_MAX - length)
		return -ENOEXEC;
	while (done < length) {
		ssize_t got = pread(fd, (char *)buffer + done, length - done, (off_t)(position + done));

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!got)
			return -ENOEXEC;
		done += (size_t)got;
	}
	return 0;
}

/* The text of PT_INTERP, by the kernel's rules: a whole path with its NUL. */
static int read_loader(int fd, uint64_t position, uint64_t length, char **ret_loader)
{
	cleanup_free char *loader = NULL;
	int r;

	if (length < 2 || length > PATH_MAX)
		return -ENOEXEC;
	loader = malloc(length);
	if (!loader)
		return -ENOMEM;
	r = read_at(fd, loader, length, position);
	if (r < 0)
		return r;
	if (loader[length - 1])
		return -ENOEXEC;
	*ret_loader = TAKE(loader);
	return 0;
}

static int find_loader(int fd, const struct layout *layout, const unsigned char *header, bool big, char **ret_loader)
{
	const uint64_t position = get(header, layout->phoff, big);
	const uint64_t count = get(header, layout->phnum, big);
	const size_t length = (size_t)count * layout->segment_size;
	cleanup_free unsigned char *segments = NULL;
	int r;

	if (get(header, layout->phentsize, big) != layout->segment_size || !count || length > HEADERS_MAX)
		return -ENOEXEC;
	segments = malloc(length);
	if (!segments)
		return -ENOMEM;
	r = read_at(fd, segments, length, position);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		const unsigned char *segment = segments + i * layout->segment_size;

		if (get(segment, layout->segment_type, big) == PT_INTERP)
			return read_loader(fd, get(segment, layout->position, big), get(segment, layout->content, big),
					   ret_loader);
	}
	return 0;
}

bool elf_begins(const char *bytes, size_t length)
{
	return length >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

int elf_read(int fd, struct elf_facts *ret_facts)
{
	unsigned char header[sizeof(Elf64_Ehdr)] = { 0 };
	struct elf_facts facts = { 0 };
	const struct layout *layout;
	bool big;
	uint64_t type;
	int r;

	r = read_at(fd, header, EI_NIDENT, 0);
	if (r < 0)
		return r;
	if (!elf_begins((const char *)header, EI_NIDENT))
		return -ENOEXEC;
	if (header[EI_CLASS] != ELFCLASS32 && header[EI_CLASS] != ELFCLASS64)
		return -ENOEXEC;
	if (header[EI_DATA] != ELFDATA2LSB && header[EI_DATA] != ELFDATA2MSB)
		return -ENOEXEC;
	layout = &layouts[header[EI_CLASS] == ELFCLASS64];
	big = header[EI_DATA] == ELFDATA2MSB;
	r = read_at(fd, header, layout->header_size, 0);
	if (r < 0)
		return r;
	type = get(header, field_type, big);
	if (type != ET_EXEC && type != ET_DYN)
		return -ENOEXEC;
	r = find_loader(fd, layout, header, big, &facts.loader);
	if (r < 0)
		return r;
	facts.machine = (unsigned)get(header, field_machine, big);
	facts.class = layout->class;
	facts.foreign = facts.machine != __ehdr_start.e_machine || header[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS] ||
			header[EI_DATA] != __ehdr_start.e_ident[EI_DATA];
	*ret_facts = facts;
	return 0;
}
