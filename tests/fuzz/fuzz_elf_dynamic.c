/* SPDX-License-Identifier: Apache-2.0 */
/* Any file read as an ELF library: refused, or read into texts that end; the two readers agree on what it is. */
#include "fuzz.h"

#include "target/elf.h"
#include "target/elf_dynamic.h"
#include "target/elf_versions.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_dynamic dynamic = { .machine = 0 };
	struct elf_facts facts = { .machine = 0 };
	int fd = memfd_create("elf", MFD_CLOEXEC);
	size_t length = 0;
	struct elf_versions versions = { .defined = { .count = 0 } };
	int r, headers, versions_read;

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	r = elf_dynamic_read(fd, &dynamic);
	headers = elf_read(fd, &facts);
	versions_read = elf_versions_read(fd, &versions);
	MUST(r == 0 || r == -ENOEXEC);
	MUST(headers == 0 || headers == -ENOEXEC);
	if (r == 0) {
		MUST(dynamic.class == 32 || dynamic.class == 64);
		MUST(headers < 0 || (facts.machine == dynamic.machine && facts.class == dynamic.class));
		for (size_t i = 0; i < dynamic.needed.count; i++)
			length += strlen(dynamic.needed.items[i]);
		length += dynamic.soname ? strlen(dynamic.soname) : 0;
		length += dynamic.rpath ? strlen(dynamic.rpath) : 0;
		length += dynamic.runpath ? strlen(dynamic.runpath) : 0;
		MUST(dynamic.dynamic || !length);
	}
	MUST(versions_read == 0 || versions_read == -ENOEXEC);
	MUST(versions.files.count == versions.needed.count);
	elf_versions_clear(&versions);
	free(facts.loader);
	elf_dynamic_clear(&dynamic);
	(void)close(fd);
	return 0;
}
