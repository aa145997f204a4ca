/* SPDX-License-Identifier: Apache-2.0 */
#include "target/elf_symbols.h"

#include "base/cleanup.h"
#include "target/elf_section.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* A name is looked for in at most so many entries: a chain that never ends is no table. */
enum { CHAIN_MAX = 1 << 20 };

/* Where the class keeps what we want of a symbol. */
struct symbol_layout {
	size_t size, info, index;
};

static const struct symbol_layout layouts[] = {
	{ sizeof(Elf32_Sym), offsetof(Elf32_Sym, st_info), offsetof(Elf32_Sym, st_shndx) },
	{ sizeof(Elf64_Sym), offsetof(Elf64_Sym, st_info), offsetof(Elf64_Sym, st_shndx) },
};

struct table {
	const struct elf_file *file;
	const struct elf_section *section;
	const struct symbol_layout *layout;
	uint64_t symbols; /* position of the table in the file */
	uint64_t hash;    /* the same of the hash table */
	bool gnu;         /* of the hash table's two forms */
};

static int read_number(const struct table *table, uint64_t position, size_t size, uint64_t *ret_value)
{
	unsigned char bytes[8] = { 0 };
	uint64_t value = 0;
	int r = elf_file_read(table->file, bytes, size, position);

	for (size_t i = 0; r == 0 && i < size; i++)
		value = value << 8 | bytes[table->file->big ? i : size - 1 - i];
	*ret_value = value;
	return r;
}

/* Is symbol `i` the name, and has the file its code or data? 1, 0 or -errno. */
static int fits(const struct table *table, uint64_t i, const char *name)
{
	const uint64_t at = table->symbols + i * table->layout->size;
	cleanup_free char *text = NULL;
	uint64_t offset, info = 0, index = 0;
	int r = read_number(table, at, 4, &offset);

	if (r == 0)
		r = read_number(table, at + table->layout->info, 1, &info);
	if (r == 0)
		r = read_number(table, at + table->layout->index, 2, &index);
	if (r == 0)
		r = elf_section_text(table->section, offset, &text);
	if (r < 0)
		return r;
	return text && strcmp(text, name) == 0 && index != SHN_UNDEF && ELF64_ST_BIND(info) != STB_LOCAL;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* As the loader walks it: a bucket's chain of hashes, the last marked by its lowest bit. 1, 0 or -errno. */
static int find_gnu(const struct table *table, const char *name)
{
	const uint32_t wanted = gnu_hash(name);
	uint64_t buckets, first = 0, words = 0, i, hash = 0, position;
	int r = read_number(table, table->hash, 4, &buckets);

	if (r == 0)
		r = read_number(table, table->hash + 4, 4, &first);
	if (r == 0)
		r = read_number(table, table->hash + 8, 4, &words);
	if (r < 0 || !buckets)
		return r;
	position = table->hash + 16 + words * (table->file->class / 8);
	r = read_number(table, position + wanted % buckets * 4, 4, &i);
	if (r < 0 || i < first)
		return r;
	position += buckets * 4;
	for (unsigned steps = 0; steps < CHAIN_MAX && !(hash & 1); steps++, i++) {
		r = read_number(table, position + (i - first) * 4, 4, &hash);
		if (r < 0)
			return r;
		if ((hash | 1) != (wanted | 1))
			continue;
		r = fits(table, i, name);
		if (r)
			return r;
	}
	return 0;
}

static uint32_t system_v_hash(const char *name)
{
	uint32_t hash = 0;

	for (; *name; name++) {
		hash = (hash << 4) + (unsigned char)*name;
		hash ^= hash >> 24 & 0xf0;
		hash &= 0x0fffffff;
	}
	return hash;
}

/* The older form: a bucket's chain of symbol numbers, 0 at its end. 1, 0 or -errno. */
static int find_system_v(const struct table *table, const char *name)
{
	uint64_t buckets, i = 0;
	int r = read_number(table, table->hash, 4, &buckets);

	if (r < 0 || !buckets)
		return r;
	r = read_number(table, table->hash + 8 + system_v_hash(name) % buckets * 4, 4, &i);
	for (unsigned steps = 0; r == 0 && i && steps < CHAIN_MAX; steps++) {
		r = fits(table, i, name);
		if (r == 0)
			r = read_number(table, table->hash + 8 + (buckets + i) * 4, 4, &i);
	}
	return r;
}

/* Returns 0; -ENOENT: the file has no symbols for others; -ENOEXEC. */
static int find_tables(struct table *table)
{
	uint64_t tag, value, symbols = 0, gnu = 0, system_v = 0, rest;
	int r;

	for (size_t i = 0; elf_section_entry(table->section, i, &tag, &value); i++) {
		if (tag == DT_SYMTAB)
			symbols = value;
		else if (tag == DT_GNU_HASH)
			gnu = value;
		else if (tag == DT_HASH)
			system_v = value;
	}
	if (!symbols || (!gnu && !system_v))
		return -ENOENT;
	table->gnu = gnu != 0;
	r = elf_section_place(table->section, symbols, &table->symbols, &rest);
	return r < 0 ? r : elf_section_place(table->section, gnu ? gnu : system_v, &table->hash, &rest);
}

int elf_symbols_defined(int fd, const char *const *names, size_t count, bool *ret_defined)
{
	cleanup_elf_file struct elf_file file = { .fd = -1 };
	cleanup_elf_section struct elf_section section = { .count = 0 };
	struct table table = { .file = &file, .section = &section, .layout = &layouts[0] };
	int r = elf_file_open(fd, &file);

	if (r == 0)
		r = elf_section_open(&file, &section);
	if (r == 0) {
		table.layout = &layouts[file.class == 64];
		r = find_tables(&table);
	}
	if (r == -ENOENT) {
		memset(ret_defined, 0, count * sizeof(*ret_defined));
		return 0;
	}
	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = table.gnu ? find_gnu(&table, names[i]) : find_system_v(&table, names[i]);
		ret_defined[i] = r == 1;
	}
	return r < 0 ? r : 0;
}
