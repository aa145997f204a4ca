/* SPDX-License-Identifier: Apache-2.0 */
#include "target/malloc_kept.h"

#include "base/cleanup.h"
#include "base/keep.h"
#include "base/text.h"
#include "base/words.h"
#include "target/malloc_library.h"
#include "target/target.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static const char kind[] = "malloc";

/* A file as it is now; "-" where there is none. */
static void add_state(struct text *text, const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		text_add(text, "-");
	else
		text_add(text, "%llx:%llx %lld %lld.%09ld", (unsigned long long)status.st_dev,
			 (unsigned long long)status.st_ino, (long long)status.st_size, (long long)status.st_mtim.tv_sec,
			 status.st_mtim.tv_nsec);
}

static void add_named(struct text *key, const char *name, const char *path)
{
	text_add(key, "%s %s ", name, path);
	add_state(key, path);
	text_add(key, "\n");
}

/* A folder that gets a library, or loses one, changes its own time. */
static void add_library_path(struct text *key, const char *library_path)
{
	cleanup_free char *copy = strdup(library_path);
	char *rest = copy;

	key->failed |= !copy;
	for (const char *folder; (folder = strsep(&rest, ":;")) != NULL;)
		add_named(key, "path", *folder ? folder : ".");
}

char *malloc_kept_key(const struct malloc_library_request *request, const struct words *folders)
{
	static const char *const files[] = { "/proc/self/exe", "/etc/ld.so.cache", "/etc/ld.so.preload" };
	const struct target *target = request->target;
	struct text key = TEXT_INIT;

	text_add(&key, "word %s\nmachine %u %u\n", request->names->word, target ? target->elf_machine : 0,
		 target ? target->elf_class : 0);
	add_named(&key, "loader", target && target->loader ? target->loader : "-");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		add_named(&key, "file", files[i]);
	for (size_t i = 0; i < folders->count; i++)
		add_named(&key, "folder", folders->items[i]);
	if (request->library_path)
		add_library_path(&key, request->library_path);
	return text_take(&key);
}

/* The next line of what was kept: "" at its end. */
static char *take_line(const char **at, const char *end)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));
	const size_t length = (size_t)((newline ? newline : end) - *at);
	char *line = strndup(*at, length);

	*at += length + (newline ? 1 : 0);
	return line;
}

/* Lines: the file that was tried, its state, "good" or "broken" or "none", why not. */
int malloc_kept_load(const struct malloc_library_request *request, const char *key, struct malloc_library *ret_library)
{
	cleanup_kept struct kept kept = { NULL };
	cleanup_free char *path = NULL, *state = NULL, *verdict = NULL, *why_not = NULL;
	cleanup_text struct text now = TEXT_INIT;
	const char *at, *end;
	int r = keep_load(request->cache_folder, kind, key, &kept);

	if (r < 0)
		return r;
	at = kept.bytes;
	end = at + kept.length;
	path = take_line(&at, end);
	state = take_line(&at, end);
	verdict = take_line(&at, end);
	why_not = take_line(&at, end);
	if (!path || !state || !verdict || !why_not)
		return -ENOMEM;
	if (*path)
		add_state(&now, path);
	if (now.failed)
		return -ENOMEM;
	if (strcmp(now.data ? now.data : "", state) != 0)
		return -ESTALE;
	if (strcmp(verdict, "good") == 0) {
		*ret_library = (struct malloc_library){ .path = TAKE(path) };
		return 0;
	}
	if (request->again)
		return -ESTALE;
	*ret_library = (struct malloc_library){ .why_not = TAKE(why_not), .broken = strcmp(verdict, "broken") == 0 };
	return 0;
}

void malloc_kept_store(const struct malloc_library_request *request, const char *key, const char *file,
		       const struct malloc_library *library)
{
	const char *verdict = library->path ? "good" : library->broken ? "broken" : "none";
	cleanup_text struct text text = TEXT_INIT;

	/* One line each: a path with a newline in it would not come back as it was. */
	if (file && strchr(file, '\n'))
		return;
	text_add(&text, "%s\n", file ? file : "");
	if (file)
		add_state(&text, file);
	text_add(&text, "\n%s\n%s\n", verdict, library->why_not ? library->why_not : "");
	if (!text.failed)
		(void)keep_store(request->cache_folder, kind, key, text.data, text.length);
}
