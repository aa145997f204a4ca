/* SPDX-License-Identifier: Apache-2.0 */
#include "target/elf_section.h"

#include "base/cleanup.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

enum {
	SECTION_MAX = 65536, /* bytes of a dynamic section; large real ones have about 60 entries, 1 KiB */
	TEXT_MAX = 8192,     /* one name or search path */
};

int elf_section_place(const struct elf_section *section, uint64_t address, uint64_t *ret_position, uint64_t *ret_length)
{
	for (size_t i = 0; i < section->file->segment_count; i++) {
		const struct elf_segment segment = elf_file_segment(section->file, i);

		if (segment.type != PT_LOAD || address < segment.address ||
		    address - segment.address >= segment.content)
			continue;
		if (__builtin_add_overflow(segment.position, address - segment.address, ret_position))
			return -ENOEXEC;
		*ret_length = segment.content - (address - segment.address);
		return 0;
	}
	return -ENOEXEC;
}

int elf_section_text(const struct elf_section *section, uint64_t offset, char **ret_text)
{
	char text[TEXT_MAX];
	uint64_t rest, position;
	size_t length = 0;
	char *copy;

	if (offset >= section->text_length || __builtin_add_overflow(section->text_position, offset, &position))
		return -ENOEXEC;
	rest = section->text_length - offset;
	/* A step at a time: most names are short, and the table's end may be the file's. */
	for (;;) {
		const size_t step = rest - length < 64 ? (size_t)(rest - length) : 64;
		int r;

		if (!step || length + step > sizeof(text))
			return -ENOEXEC;
		r = elf_file_read(section->file, text + length, step, position + length);
		if (r < 0)
			return r;
		if (memchr(text + length, '\0', step))
			break;
		length += step;
	}
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

static int read_entries(struct elf_section *section, const struct elf_segment *segment)
{
	const size_t size = elf_file_entry_size(section->file);
	const uint64_t count = segment->content / size;
	int r;

	if (!count || segment->content > SECTION_MAX)
		return -ENOEXEC;
	section->entries = malloc((size_t)count * size);
	if (!section->entries)
		return -ENOMEM;
	r = elf_file_read(section->file, section->entries, (size_t)count * size, segment->position);
	section->count = (size_t)count;
	return r;
}

bool elf_section_entry(const struct elf_section *section, size_t i, uint64_t *ret_tag, uint64_t *ret_value)
{
	if (i >= section->count)
		return false;
	elf_file_entry(section->file, section->entries + i * elf_file_entry_size(section->file), ret_tag, ret_value);
	return *ret_tag != DT_NULL;
}

/* The table of texts: its address and size stand among the entries it serves. */
static int find_texts(struct elf_section *section)
{
	uint64_t address = 0, length = 0, tag, value;
	bool has_address = false;
	int r;

	for (size_t i = 0; elf_section_entry(section, i, &tag, &value); i++) {
		if (tag == DT_STRTAB) {
			address = value;
			has_address = true;
		} else if (tag == DT_STRSZ) {
			length = value;
		}
	}
	if (!has_address)
		return -ENOEXEC;
	r = elf_section_place(section, address, &section->text_position, &section->text_length);
	if (r == 0 && length && length < section->text_length)
		section->text_length = length;
	return r;
}

int elf_section_open(const struct elf_file *file, struct elf_section *ret_section)
{
	cleanup_elf_section struct elf_section section = { .file = file };

	for (size_t i = 0; i < file->segment_count; i++) {
		const struct elf_segment segment = elf_file_segment(file, i);
		int r;

		if (segment.type != PT_DYNAMIC)
			continue;
		r = read_entries(&section, &segment);
		if (r == 0)
			r = find_texts(&section);
		if (r < 0)
			return r;
		*ret_section = section;
		section.entries = NULL;
		return 0;
	}
	return -ENOENT;
}

void elf_section_close(struct elf_section *section)
{
	free(section->entries);
	section->entries = NULL;
}
