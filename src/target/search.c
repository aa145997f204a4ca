/* SPDX-License-Identifier: Apache-2.0 */
#include "target/search.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

/* What execvp() searches when there is no PATH. */
static char *default_path(void)
{
	const size_t length = confstr(_CS_PATH, NULL, 0);
	char *path = malloc(length ? length : 1);

	if (path && (!length || !confstr(_CS_PATH, path, length)))
		path[0] = '\0';
	return path;
}

int search_begin(struct search *search, const char *name, const char *path)
{
	char *folders = path ? strdup(path) : default_path();

	if (!folders)
		return -ENOMEM;
	*search = (struct search){ .name = name, .folders = folders, .rest = folders, .done = !*name };
	return 0;
}

int search_next(struct search *search, char **ret_candidate)
{
	cleanup_text struct text candidate = TEXT_INIT;
	char *path;
	size_t length;

	if (search->done)
		return 0;
	if (strchr(search->name, '/')) {
		search->done = true;
		path = strdup(search->name);
	} else {
		length = strcspn(search->rest, ":");
		/* An empty entry is the current folder. The dot keeps anybody from searching PATH for the name again.
		 */
		text_add_bytes(&candidate, length ? search->rest : ".", length ? length : 1);
		text_add(&candidate, "/%s", search->name);
		search->rest += length;
		search->done = !*search->rest;
		search->rest += !search->done;
		path = text_take(&candidate);
	}
	if (!path)
		return -ENOMEM;
	*ret_candidate = path;
	return 1;
}

bool search_goes_on(int code)
{
	static const int misses[] = { EACCES, EISDIR, ENOENT, ENOTDIR, ESTALE, ENODEV, ETIMEDOUT };

	for (size_t i = 0; i < ARRAY_SIZE(misses); i++) {
		if (code == -misses[i])
			return true;
	}
	return false;
}

void search_end(struct search *search)
{
	free(search->folders);
	search->folders = NULL;
}
