/* SPDX-License-Identifier: Apache-2.0 */
#include "search.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

/* What of a library's dynamic section a look-up needs. */
struct tables {
	const ElfW(Sym) * symbols;
	const char *strings;
	const uint32_t *gnu_hash, *sysv_hash;
	const ElfW(Half) * versions;
};

struct request {
	struct search *rows;
	size_t count, left;
	bool behind_us, passed_us;
};

static bool holds(const struct dl_phdr_info *info, const void *address)
{
	const ElfW(Addr) at = (ElfW(Addr))address;

	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		const ElfW(Addr) start = info->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && at >= start && at - start < part->p_memsz)
			return true;
	}
	return false;
}

/* glibc adds the base to the addresses of the section in place; to those of the kernel's own library nobody does. */
static const void *at(const struct dl_phdr_info *info, ElfW(Addr) address)
{
	return (const void *)(address < info->dlpi_addr ? address + info->dlpi_addr : address);
}

static struct tables read_tables(const struct dl_phdr_info *info)
{
	struct tables tables = { .symbols = NULL };
	const ElfW(Dyn) *entry = NULL;

	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			entry = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	}
	for (; entry && entry->d_tag != DT_NULL; entry++) {
		const void *table = at(info, entry->d_un.d_ptr);

		if (entry->d_tag == DT_SYMTAB)
			tables.symbols = table;
		else if (entry->d_tag == DT_STRTAB)
			tables.strings = table;
		else if (entry->d_tag == DT_GNU_HASH)
			tables.gnu_hash = table;
		else if (entry->d_tag == DT_HASH)
			tables.sysv_hash = table;
		else if (entry->d_tag == DT_VERSYM)
			tables.versions = table;
	}
	return tables;
}

/* Is the symbol a function of this name, and not one of an old version that is kept for old programs only? */
static bool is_it(const struct tables *tables, size_t idx, const char *name)
{
	const ElfW(Sym) *symbol = &tables->symbols[idx];
	const unsigned type = symbol->st_info & 15, hidden = 0x8000;

	return symbol->st_shndx != SHN_UNDEF && symbol->st_value && (type == STT_FUNC || type == STT_GNU_IFUNC) &&
	       symbol->st_info >> 4 != STB_LOCAL && !(tables->versions && tables->versions[idx] & hidden) &&
	       strcmp(tables->strings + symbol->st_name, name) == 0;
}

static const ElfW(Sym) * find_gnu(const struct tables *tables, const char *name)
{
	const uint32_t *header = tables->gnu_hash, buckets = header[0], first = header[1], bloom_words = header[2];
	const ElfW(Addr) *bloom = (const ElfW(Addr) *)&header[4];
	const uint32_t *bucket = (const uint32_t *)&bloom[bloom_words], *chain = &bucket[buckets];
	const unsigned bits = 8 * sizeof(ElfW(Addr));
	uint32_t hash = 5381;
	ElfW(Addr) word;

	for (const char *p = name; *p; p++)
		hash = hash * 33 + (unsigned char)*p;
	word = bloom_words ? bloom[hash / bits % bloom_words] : 0;
	if (!buckets || !(word >> hash % bits & 1) || !(word >> (hash >> header[3]) % bits & 1))
		return NULL;
	for (uint32_t i = bucket[hash % buckets]; i >= first && i; i++) {
		if ((chain[i - first] | 1) == (hash | 1) && is_it(tables, i, name))
			return &tables->symbols[i];
		if (chain[i - first] & 1)
			break;
	}
	return NULL;
}

static const ElfW(Sym) * find_sysv(const struct tables *tables, const char *name)
{
	const uint32_t *header = tables->sysv_hash, buckets = header[0];
	uint32_t hash = 0;

	for (const char *p = name; *p; p++) {
		hash = (hash << 4) + (unsigned char)*p;
		hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
	}
	for (uint32_t i = buckets ? header[2 + hash % buckets] : 0; i; i = header[2 + buckets + i]) {
		if (is_it(tables, i, name))
			return &tables->symbols[i];
	}
	return NULL;
}

static bool is_whole(const struct tables *tables)
{
	return tables->symbols && tables->strings && (tables->gnu_hash || tables->sysv_hash);
}

/* The address of a function in a library with whole tables; NULL: it has none of this name. */
static void *find(const struct dl_phdr_info *info, const struct tables *tables, const char *name)
{
	const ElfW(Sym) *symbol = tables->gnu_hash ? find_gnu(tables, name) : find_sysv(tables, name);
	void *address = symbol ? (void *)(info->dlpi_addr + symbol->st_value) : NULL;

	if (address && (symbol->st_info & 15) == STT_GNU_IFUNC)
		address = ((void *(*)(void))address)();
	return address;
}

static int search_one(struct dl_phdr_info *info, size_t size, void *context)
{
	struct request *request = context;
	struct tables tables;

	(void)size;
	if (request->behind_us && !request->passed_us) {
		request->passed_us = holds(info, (const void *)search_one);
		return 0;
	}
	tables = read_tables(info);
	if (!is_whole(&tables))
		return 0;
	for (size_t i = 0; i < request->count; i++) {
		struct search *row = &request->rows[i];

		if (row->address)
			continue;
		row->address = find(info, &tables, row->name);
		if (!row->address)
			continue;
		row->path = info->dlpi_name;
		request->left -= request->left > 0;
	}
	return !request->left;
}

void search_all(struct search *rows, size_t count, bool behind_us)
{
	struct request request = { .rows = rows, .count = count, .behind_us = behind_us };

	for (size_t i = 0; i < count; i++)
		request.left += !rows[i].address;
	if (request.left)
		(void)dl_iterate_phdr(search_one, &request);
}

struct alone {
	const char *name, *with, *without;
	void *address;
	unsigned count;
};

static int see_alone(struct dl_phdr_info *info, size_t size, void *context)
{
	const struct tables tables = read_tables(info);
	struct alone *alone = context;
	void *address;

	(void)size;
	if (!is_whole(&tables) || !find(info, &tables, alone->with) || find(info, &tables, alone->without))
		return 0;
	address = find(info, &tables, alone->name);
	if (!address)
		return 0;
	alone->address = address;
	return ++alone->count > 1;
}

void *search_alone(const char *name, const char *with, const char *without)
{
	struct alone alone = { .name = name, .with = with, .without = without };

	(void)dl_iterate_phdr(see_alone, &alone);
	return alone.count == 1 ? alone.address : NULL;
}

struct owner {
	const void *address;
	const char *path;
};

static int see_owner(struct dl_phdr_info *info, size_t size, void *context)
{
	struct owner *owner = context;

	(void)size;
	if (!holds(info, owner->address))
		return 0;
	owner->path = info->dlpi_name;
	return 1;
}

const char *search_library(const void *address)
{
	struct owner owner = { .address = address };

#ifdef DLFO_EH_SEGMENT_TYPE
	static struct search find = { .name = "_dl_find_object" };
	static bool looked;
	__typeof__(_dl_find_object) *find_object;
	struct dl_find_object object;

	if (!looked)
		search_all(&find, 1, false);
	looked = true;
	memcpy(&find_object, &find.address, sizeof(find_object));
	if (find_object)
		return find_object((void *)(size_t)address, &object) == 0 ? object.dlfo_link_map->l_name : NULL;
#endif
	(void)dl_iterate_phdr(see_owner, &owner);
	return owner.path;
}

struct visit {
	void (*see)(const char *path, void *context);
	void *context;
};

static int visit_one(struct dl_phdr_info *info, size_t size, void *context)
{
	const struct visit *visit = context;

	(void)size;
	visit->see(info->dlpi_name, visit->context);
	return 0;
}

void search_each(void (*see)(const char *path, void *context), void *context)
{
	struct visit visit = { see, context };

	(void)dl_iterate_phdr(visit_one, &visit);
}
