/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_path.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

/* Both are set by the build: lib/<multiarch> below the prefix, and the same from "/". */
static const char RELATIVE_LIBDIR[] = FETTLE_RELATIVE_LIBDIR;
static const char LIBDIR[] = FETTLE_LIBDIR;
static const char AGENT[] = "libfettle-agent.so";

/* Cut the last component off. */
static void go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

static char *readable(struct text *path)
{
	cleanup_free char *found = text_take(path);

	/* The loader splits LD_PRELOAD at both, with no way to quote them. */
	if (!found || strpbrk(found, " :") || access(found, R_OK) < 0)
		return NULL;
	return TAKE(found);
}

char *agent_path(void)
{
	char base[PATH_MAX];
	struct text path = TEXT_INIT;
	const ssize_t length = readlink("/proc/self/exe", base, sizeof(base) - 1);
	char *found;

	if (length > 0) {
		base[length] = '\0';
		go_up(base); /* bin */
		go_up(base);
		text_add(&path, "%s/%s/fettle/%s", base, RELATIVE_LIBDIR, AGENT);
		found = readable(&path);
		if (found)
			return found;
		go_up(base); /* build/src/cli/fettle: the agent is in build/agent */
		text_add(&path, "%s/agent/%s", base, AGENT);
		found = readable(&path);
		if (found)
			return found;
	}
	text_add(&path, "%s/fettle/%s", LIBDIR, AGENT);
	return readable(&path);
}
