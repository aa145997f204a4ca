/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_make.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes written one field after the other. */
struct writer {
	unsigned char *bytes;
	size_t length;
	unsigned word; /* bytes of an address */
	bool big;
};

static void put(struct writer *writer, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		writer->bytes[writer->length + (writer->big ? size - 1 - i : i)] = (unsigned char)(value >> 8 * i);
	writer->length += size;
}

static void put_word(struct writer *writer, uint64_t value)
{
	put(writer, writer->word, value);
}

static uint64_t put_text(struct writer *texts, const char *text)
{
	const size_t offset = texts->length;

	assert_true(offset + strlen(text) + 1 < ELF_MAKE_MAX / 2);
	memcpy(texts->bytes + offset, text, strlen(text) + 1);
	texts->length += strlen(text) + 1;
	return offset;
}

static void put_header(struct writer *writer, unsigned machine, bool program, unsigned segments)
{
	static const unsigned char magic[] = { 0x7f, 'E', 'L', 'F' };
	const bool wide = writer->word == 8;

	memcpy(writer->bytes, magic, sizeof(magic));
	writer->bytes[EI_CLASS] = wide ? ELFCLASS64 : ELFCLASS32;
	writer->bytes[EI_DATA] = writer->big ? ELFDATA2MSB : ELFDATA2LSB;
	writer->bytes[EI_VERSION] = EV_CURRENT;
	writer->length = EI_NIDENT;
	put(writer, 2, program ? ET_EXEC : ET_DYN);
	put(writer, 2, machine);
	put(writer, 4, EV_CURRENT);
	put_word(writer, 0);                                              /* e_entry */
	put_word(writer, wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)); /* e_phoff */
	put_word(writer, 0);                                              /* e_shoff */
	put(writer, 4, 0);
	put(writer, 2, wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
	put(writer, 2, wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	put(writer, 2, segments);
	put(writer, 2, 0);
	put(writer, 2, 0);
	put(writer, 2, 0);
}

static void put_segment(struct writer *writer, unsigned type, uint64_t position, uint64_t length)
{
	put(writer, 4, type);
	if (writer->word == 8)
		put(writer, 4, PF_R);
	put_word(writer, position);
	put_word(writer, position + ELF_MAKE_ADDRESS);
	put_word(writer, position + ELF_MAKE_ADDRESS);
	put_word(writer, length);
	put_word(writer, length);
	if (writer->word == 4)
		put(writer, 4, PF_R);
	put_word(writer, 0x1000);
}

static void put_entry(struct writer *writer, uint64_t tag, uint64_t value)
{
	put_word(writer, tag);
	put_word(writer, value);
}

size_t elf_make_bytes(const struct elf_make *make, unsigned char bytes[ELF_MAKE_MAX])
{
	unsigned char section_bytes[ELF_MAKE_MAX / 2] = { 0 }, text_bytes[ELF_MAKE_MAX / 2] = { 0 };
	const unsigned word = make->class == 32 ? 4 : 8, segments = make->interpreter ? 3 : 2;
	struct writer file = { bytes, 0, word, make->big }, section = { section_bytes, 0, word, make->big };
	struct writer texts = { text_bytes, 1, word, make->big };
	const size_t start = word == 8 ? sizeof(Elf64_Ehdr) + segments * sizeof(Elf64_Phdr)
				       : sizeof(Elf32_Ehdr) + segments * sizeof(Elf32_Phdr);
	uint64_t interpreter = make->interpreter ? put_text(&texts, make->interpreter) : 0;
	size_t text_start, total;

	memset(bytes, 0, ELF_MAKE_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(make->needed) && make->needed[i]; i++)
		put_entry(&section, DT_NEEDED, put_text(&texts, make->needed[i]));
	if (make->soname)
		put_entry(&section, DT_SONAME, put_text(&texts, make->soname));
	if (make->rpath)
		put_entry(&section, DT_RPATH, put_text(&texts, make->rpath));
	if (make->runpath)
		put_entry(&section, DT_RUNPATH, put_text(&texts, make->runpath));
	if (make->flags_1)
		put_entry(&section, DT_FLAGS_1, make->flags_1);
	/* Three more entries: where the texts are, how long, and the end. */
	text_start = start + section.length + (size_t)3 * 2 * word;
	put_entry(&section, DT_STRTAB, text_start + ELF_MAKE_ADDRESS);
	put_entry(&section, DT_STRSZ, texts.length);
	put_entry(&section, DT_NULL, 0);
	total = text_start + texts.length;
	assert_true(total <= ELF_MAKE_MAX);
	put_header(&file, make->machine ? make->machine : EM_X86_64, make->interpreter, segments);
	put_segment(&file, PT_LOAD, 0, total);
	put_segment(&file, PT_DYNAMIC, start, section.length);
	if (make->interpreter)
		put_segment(&file, PT_INTERP, text_start + interpreter, strlen(make->interpreter) + 1);
	assert_int_equal(file.length, start);
	memcpy(bytes + start, section_bytes, section.length);
	memcpy(bytes + text_start, text_bytes, texts.length);
	return total;
}

/* The whole path, with the folders on the way made. */
static void path_in(const char *tree, const char *path, char whole[PATH_MAX])
{
	assert_true(snprintf(whole, PATH_MAX, "%s%s", tree, path) < PATH_MAX);
	for (char *slash = whole + strlen(tree) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

void tree_make_bytes(const char *tree, const char *path, const void *bytes, size_t length)
{
	char whole[PATH_MAX];
	cleanup_close int fd = -1;

	path_in(tree, path, whole);
	fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
}

void tree_make_text(const char *tree, const char *path, const char *text)
{
	tree_make_bytes(tree, path, text, strlen(text));
}

void tree_make_elf(const char *tree, const char *path, const struct elf_make *make)
{
	unsigned char bytes[ELF_MAKE_MAX];
	const size_t length = elf_make_bytes(make, bytes);

	tree_make_bytes(tree, path, bytes, length);
}

void tree_make_folder(const char *tree, const char *path)
{
	char whole[PATH_MAX];

	path_in(tree, path, whole);
	assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
}

void tree_make_link(const char *tree, const char *path, const char *to)
{
	char whole[PATH_MAX];

	path_in(tree, path, whole);
	assert_int_equal(symlink(to, whole), 0);
}

char *tree_make(void)
{
	char *tree = strdup("/tmp/fettle-tree-XXXXXX");

	assert_non_null(tree);
	assert_non_null(mkdtemp(tree));
	return tree;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

void tree_remove(char *tree)
{
	if (tree)
		(void)nftw(tree, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(tree);
}

/* The format of glibc's dl-cache.h. */
void tree_make_cache(const char *tree, const char *const *entries, bool old)
{
	enum { HEADER = 48, ENTRY = 24, OLD = 32, LIBC6_X86_64 = 0x303 };
	static const char old_magic[] = "ld.so-1.7.0", new_magic[] = "glibc-ld.so.cache1.1";
	static unsigned char bytes[65536];
	struct writer file = { bytes, 0, 8, false };
	size_t start, count = 0, offset;

	memset(bytes, 0, sizeof(bytes));
	while (entries[2 * count])
		count++;
	if (old) {
		/* One entry of the older kind: 12 bytes behind a header of 16, then up to the next multiple of 8. */
		memcpy(bytes, old_magic, sizeof(old_magic));
		file.length = 12;
		put(&file, 4, 1);
		file.length = OLD;
	}
	start = file.length;
	memcpy(bytes + start, new_magic, sizeof(new_magic));
	file.length = start + 20;
	put(&file, 4, (uint64_t)count);
	file.length = start + HEADER;
	offset = HEADER + count * ENTRY;
	for (size_t i = 0; i < 2 * count; i++) {
		const size_t length = strlen(entries[i]) + 1;
		const bool special = i % 2 && strstr(entries[i], "/glibc-hwcaps/");

		assert_true(start + offset + length < sizeof(bytes));
		memcpy(bytes + start + offset, entries[i], length);
		if (i % 2 == 0)
			put(&file, 4, LIBC6_X86_64);
		put(&file, 4, offset);
		if (i % 2)
			put(&file, 4, 0);
		if (i % 2)
			put(&file, 8, special ? (uint64_t)1 << 62 : 0);
		offset += length;
	}
	tree_make_bytes(tree, "/etc/ld.so.cache", bytes, start + offset);
}
