/* SPDX-License-Identifier: Apache-2.0 */
#include "target/elf.h"

#include "base/cleanup.h"
#include "target/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

bool elf_begins(const char *bytes, size_t length)
{
	return length >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

/* The text of PT_INTERP, by the kernel's rules: a whole path with its NUL. */
static int read_loader(const struct elf_file *file, const struct elf_segment *segment, char **ret_loader)
{
	const uint64_t length = segment->content;
	cleanup_free char *loader = NULL;
	int r;

	if (length < 2 || length > PATH_MAX)
		return -ENOEXEC;
	loader = malloc(length);
	if (!loader)
		return -ENOMEM;
	r = elf_file_read(file, loader, length, segment->position);
	if (r < 0)
		return r;
	if (loader[length - 1])
		return -ENOEXEC;
	*ret_loader = TAKE(loader);
	return 0;
}

struct elf_facts elf_own(void)
{
	struct elf_facts own = { .foreign = false };

	elf_file_own(&own.class, &own.big, &own.machine);
	return own;
}

int elf_facts(const struct elf_file *file, struct elf_facts *ret_facts)
{
	const struct elf_facts own = elf_own();
	char *loader = NULL;

	for (size_t i = 0; i < file->segment_count; i++) {
		const struct elf_segment segment = elf_file_segment(file, i);
		int r;

		if (segment.type != PT_INTERP)
			continue;
		r = read_loader(file, &segment, &loader);
		if (r < 0)
			return r;
		break;
	}
	*ret_facts = (struct elf_facts){
		.machine = file->machine,
		.class = file->class,
		.foreign = file->machine != own.machine || file->class != own.class || file->big != own.big,
		.big = file->big,
		.loader = loader,
	};
	return 0;
}

int elf_read(int fd, struct elf_facts *ret_facts)
{
	cleanup_elf_file struct elf_file file = { .fd = -1 };
	int r = elf_file_open(fd, &file);

	return r < 0 ? r : elf_facts(&file, ret_facts);
}
