/* SPDX-License-Identifier: Apache-2.0 */
#include "target/elf_dynamic.h"

#include "base/cleanup.h"
#include "target/elf_section.h"

#include <elf.h>
#include <errno.h>

/* Libraries that one file may need; large real ones have about 200. */
enum { NEEDED_MAX = 1024 };

/* Take one entry in. The last of each tag counts, as with glibc. */
static int take_entry(const struct elf_section *section, uint64_t tag, uint64_t value, struct elf_dynamic *dynamic)
{
	char *text = NULL;
	char **single = tag == DT_SONAME ? &dynamic->soname : tag == DT_RPATH ? &dynamic->rpath : &dynamic->runpath;
	int r;

	if (tag == DT_FLAGS_1 && (value & DF_1_NODEFLIB))
		dynamic->no_default = true;
	if (tag != DT_NEEDED && tag != DT_SONAME && tag != DT_RPATH && tag != DT_RUNPATH)
		return 0;
	if (tag == DT_NEEDED && dynamic->needed.count == NEEDED_MAX)
		return -ENOEXEC;
	r = elf_section_text(section, value, &text);
	if (r < 0)
		return r;
	if (tag == DT_NEEDED)
		return words_take(&dynamic->needed, text);
	free(*single);
	*single = text;
	return 0;
}

int elf_dynamic(const struct elf_file *file, struct elf_dynamic *ret_dynamic)
{
	cleanup_elf_section struct elf_section section = { .count = 0 };
	cleanup_elf_dynamic struct elf_dynamic dynamic = {
		.machine = file->machine,
		.class = file->class,
		.big = file->big,
	};
	uint64_t tag, value;
	int r = elf_section_open(file, &section);

	dynamic.dynamic = r == 0;
	if (r == -ENOENT)
		r = 0;
	for (size_t i = 0; r == 0 && elf_section_entry(&section, i, &tag, &value); i++)
		r = take_entry(&section, tag, value, &dynamic);
	if (r < 0)
		return r;
	*ret_dynamic = dynamic;
	dynamic = (struct elf_dynamic){ 0 };
	return 0;
}

int elf_dynamic_read(int fd, struct elf_dynamic *ret_dynamic)
{
	cleanup_elf_file struct elf_file file = { .fd = -1 };
	int r = elf_file_open(fd, &file);

	return r < 0 ? r : elf_dynamic(&file, ret_dynamic);
}

void elf_dynamic_clear(struct elf_dynamic *dynamic)
{
	free(dynamic->soname);
	free(dynamic->rpath);
	free(dynamic->runpath);
	words_clear(&dynamic->needed);
	*dynamic = (struct elf_dynamic){ 0 };
}
