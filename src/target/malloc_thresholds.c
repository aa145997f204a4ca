/* SPDX-License-Identifier: Apache-2.0 */
#include "target/malloc_thresholds.h"

#include "base/cleanup.h"
#include "target/elf_versions.h"

#include <fcntl.h>
#include <string.h>

bool malloc_threshold_is_capped(const char *loader)
{
	cleanup_close int fd = open(loader, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	cleanup_elf_versions struct elf_versions versions = { .defined = { .count = 0 } };

	if (fd < 0 || elf_versions_read(fd, &versions) < 0 || !versions.defined.count)
		return false;
	/* The loader's own functions for restartable sequences came with 2.35, on every machine. */
	for (size_t i = 0; i < versions.defined.count; i++) {
		if (strcmp(versions.defined.items[i], "GLIBC_2.35") == 0)
			return false;
	}
	return true;
}
