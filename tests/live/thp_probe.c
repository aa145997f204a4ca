/* SPDX-License-Identifier: Apache-2.0 */
/* Allocates 64 MiB with malloc, touches them and prints how many kB of this process lie in transparent huge pages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
	const size_t size = (size_t)64 << 20;
	volatile char *block = malloc(size);
	unsigned long sum = 0, kilobytes;
	FILE *maps = fopen("/proc/self/smaps_rollup", "re");
	char line[256];

	if (!block || !maps)
		return 1;
	for (size_t i = 0; i < size; i += 4096)
		block[i] = 1;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "AnonHugePages: %lu kB", &kilobytes) == 1) /* NOLINT(cert-err34-c) */
			sum += kilobytes;
	}
	printf("%lu\n", sum);
	return fclose(maps) != 0;
}
