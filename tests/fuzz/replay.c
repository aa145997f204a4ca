/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of a folder: what libFuzzer found once is tried in every test run. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

enum { INPUT_MAX = 1 << 20 };

static int replay_file(const char *folder, const char *name)
{
	static uint8_t input[INPUT_MAX];
	char path[4096];
	FILE *file;
	size_t size;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	file = fopen(path, "re");
	if (!file)
		return -errno;
	size = fread(input, 1, sizeof(input), file);
	(void)fclose(file);
	(void)LLVMFuzzerTestOneInput(input, size);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	unsigned count = 0;
	DIR *folder;

	if (argc != 2 || !(folder = opendir(argv[1]))) {
		(void)fprintf(stderr, "usage: replay <folder>\n");
		return 2;
	}
	while ((entry = readdir(folder))) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		r = replay_file(argv[1], entry->d_name);
		if (r < 0) {
			(void)fprintf(stderr, "%s: %s\n", entry->d_name, strerror(-r));
			return 1;
		}
		count++;
	}
	(void)closedir(folder);
	if (!count)
		(void)fprintf(stderr, "no inputs in %s\n", argv[1]);
	else
		printf("%u inputs\n", count);
	return count ? 0 : 1;
}
