/* SPDX-License-Identifier: Apache-2.0 */
/* A profile is anybody's file: it is taken whole or refused with a line, and lines of its keys lie in the text. */
#include "fuzz.h"

#include "base/err.h"
#include "joint/layers.h"
#include "joint/options.h"
#include "joint/profile.h"
#include "joint/profile_lines.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned lines_of(const char *text)
{
	unsigned lines = 1;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void use(const struct profile *profile)
{
	struct layers *layers = calloc(1, sizeof(*layers));
	const struct options options = { 0 };
	const char *key;
	json_t *value;

	MUST(layers);
	json_object_foreach(profile->values, key, value)
	{
		const unsigned line = profile_line(profile->text, key, NULL);

		MUST(line >= 1 && line <= lines_of(profile->text));
		MUST(profile_names(profile, key));
	}
	MUST(profile_add(profile, &options, layers) == 0);
	layers_free(layers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("profile", MFD_CLOEXEC);
	struct profile *profile = NULL;
	struct err err = { 0 };
	char path[32];

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (profile_read(path, &profile, &err) == 0) {
		use(profile);
	} else {
		MUST(err.code < 0);
		MUST(*err.text);
	}
	profile_free(profile);
	(void)close(fd);
	return 0;
}
