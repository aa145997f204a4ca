/* SPDX-License-Identifier: Apache-2.0 */
#include "target/elf_versions.h"

#include "base/cleanup.h"
#include "target/elf_section.h"

#include <elf.h>
#include <errno.h>

/* Versions in one file; libstdc++ has about 100. */
enum { RECORDS_MAX = 4096 };

/* A chain of records: the first at `position`, each naming how far on the next is. Both classes have the same. */
struct chain {
	const struct elf_section *section;
	uint64_t position;
	unsigned records; /* read so far: a chain may bite its own tail */
};

static uint32_t number(const struct elf_section *section, const unsigned char *bytes, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value = value << 8 | bytes[section->file->big ? i : size - 1 - i];
	return value;
}

#define NUMBER(section, bytes, type, name) \
	number(section, (bytes) + offsetof(type, name), (unsigned)sizeof(((const type *)0)->name))

static int read_record(struct chain *chain, void *buffer, size_t size)
{
	if (chain->records++ == RECORDS_MAX)
		return -ENOEXEC;
	return elf_file_read(chain->section->file, buffer, size, chain->position);
}

/* Go on by `step`, which counts from the record itself. */
static int step_on(struct chain *chain, uint32_t step)
{
	return __builtin_add_overflow(chain->position, step, &chain->position) ? -ENOEXEC : 0;
}

/* The versions needed of one file. */
static int read_needs_of(struct chain chain, unsigned count, const char *file, unsigned *records,
			 struct elf_versions *versions)
{
	const struct elf_section *section = chain.section;
	int r = 0;

	for (unsigned i = 0; i < count && r == 0; i++) {
		unsigned char bytes[sizeof(Elf64_Vernaux)];
		char *version = NULL;

		r = read_record(&chain, bytes, sizeof(bytes));
		if (r == 0 && !(NUMBER(section, bytes, Elf64_Vernaux, vna_flags) & VER_FLG_WEAK)) {
			r = elf_section_text(section, NUMBER(section, bytes, Elf64_Vernaux, vna_name), &version);
			if (r == 0)
				r = words_take(&versions->needed, version);
			if (r == 0)
				r = words_add(&versions->files, file);
		}
		if (r == 0 && i + 1 < count)
			r = step_on(&chain, NUMBER(section, bytes, Elf64_Vernaux, vna_next));
	}
	*records = chain.records;
	return r;
}

static int read_needs(struct chain chain, uint64_t count, struct elf_versions *versions)
{
	const struct elf_section *section = chain.section;
	int r = 0;

	for (uint64_t i = 0; i < count && r == 0; i++) {
		unsigned char bytes[sizeof(Elf64_Verneed)];
		cleanup_free char *file = NULL;
		struct chain inner = chain;

		r = read_record(&chain, bytes, sizeof(bytes));
		if (r == 0)
			r = elf_section_text(section, NUMBER(section, bytes, Elf64_Verneed, vn_file), &file);
		inner.records = chain.records;
		if (r == 0)
			r = step_on(&inner, NUMBER(section, bytes, Elf64_Verneed, vn_aux));
		if (r == 0)
			r = read_needs_of(inner, NUMBER(section, bytes, Elf64_Verneed, vn_cnt), file, &chain.records,
					  versions);
		if (r == 0 && i + 1 < count)
			r = step_on(&chain, NUMBER(section, bytes, Elf64_Verneed, vn_next));
	}
	return r;
}

/* Of each definition the first name; others are those it follows on. */
static int read_definitions(struct chain chain, uint64_t count, struct elf_versions *versions)
{
	const struct elf_section *section = chain.section;
	int r = 0;

	for (uint64_t i = 0; i < count && r == 0; i++) {
		unsigned char bytes[sizeof(Elf64_Verdef)], name_bytes[sizeof(Elf64_Verdaux)];
		struct chain inner = chain;
		char *name = NULL;

		r = read_record(&chain, bytes, sizeof(bytes));
		if (r == 0)
			r = step_on(&inner, NUMBER(section, bytes, Elf64_Verdef, vd_aux));
		if (r == 0)
			r = read_record(&inner, name_bytes, sizeof(name_bytes));
		if (r == 0)
			r = elf_section_text(section, NUMBER(section, name_bytes, Elf64_Verdaux, vda_name), &name);
		if (r == 0)
			r = words_take(&versions->defined, name);
		if (r == 0 && i + 1 < count)
			r = step_on(&chain, NUMBER(section, bytes, Elf64_Verdef, vd_next));
	}
	return r;
}

static int read_all(const struct elf_section *section, struct elf_versions *versions)
{
	struct chain needs = { .section = section }, definitions = { .section = section };
	uint64_t need_count = 0, definition_count = 0, tag, value, rest;
	int r = 0;

	for (size_t i = 0; r == 0 && elf_section_entry(section, i, &tag, &value); i++) {
		if (tag == DT_VERNEED)
			r = elf_section_place(section, value, &needs.position, &rest);
		else if (tag == DT_VERDEF)
			r = elf_section_place(section, value, &definitions.position, &rest);
		else if (tag == DT_VERNEEDNUM)
			need_count = value;
		else if (tag == DT_VERDEFNUM)
			definition_count = value;
	}
	if (r == 0 && needs.position)
		r = read_needs(needs, need_count, versions);
	if (r == 0 && definitions.position)
		r = read_definitions(definitions, definition_count, versions);
	return r;
}

int elf_versions_read(int fd, struct elf_versions *ret_versions)
{
	cleanup_elf_file struct elf_file file = { .fd = -1 };
	cleanup_elf_section struct elf_section section = { .count = 0 };
	cleanup_elf_versions struct elf_versions versions = { .defined = { .count = 0 } };
	int r = elf_file_open(fd, &file);

	if (r == 0)
		r = elf_section_open(&file, &section);
	if (r == 0)
		r = read_all(&section, &versions);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_versions = versions;
	versions = (struct elf_versions){ .defined = { .count = 0 } };
	return 0;
}

void elf_versions_clear(struct elf_versions *versions)
{
	words_clear(&versions->files);
	words_clear(&versions->needed);
	words_clear(&versions->defined);
}
