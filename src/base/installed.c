/* SPDX-License-Identifier: Apache-2.0 */
#include "base/installed.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

/* Both are set by the build: lib/<multiarch> below the prefix, and the same from "/". */
static const char RELATIVE_LIBDIR[] = FETTLE_RELATIVE_LIBDIR;
static const char LIBDIR[] = FETTLE_LIBDIR;

/* Cut the last component off. */
static void go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

static char *usable(struct text *path, const char *forbidden, int mode)
{
	cleanup_free char *found = text_take(path);

	if (!found || strpbrk(found, forbidden) || access(found, mode) < 0)
		return NULL;
	return TAKE(found);
}

char *installed_find(const char *name, const char *build_folder, const char *forbidden, int mode)
{
	char base[PATH_MAX];
	struct text path = TEXT_INIT;
	const ssize_t length = readlink("/proc/self/exe", base, sizeof(base) - 1);
	char *found;

	if (length > 0) {
		base[length] = '\0';
		go_up(base); /* bin */
		go_up(base);
		text_add(&path, "%s/%s/fettle/%s", base, RELATIVE_LIBDIR, name);
		found = usable(&path, forbidden, mode);
		if (found)
			return found;
		go_up(base); /* build/src/cli/fettle */
		text_add(&path, "%s/%s/%s", base, build_folder, name);
		found = usable(&path, forbidden, mode);
		if (found)
			return found;
	}
	text_add(&path, "%s/fettle/%s", LIBDIR, name);
	return usable(&path, forbidden, mode);
}
