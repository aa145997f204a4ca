/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openmp_find(): the answer, remembered. The key is what the search was asked (words, environment, folder); what it
 * looked at on the disk cannot be known before it was made, so that is kept with the answer: every path that was
 * opened, or was not there, with the state it was in. Another state of one of them, and the search is made again.
 */
#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/keep.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "base/words.h"
#include "target/elf.h"
#include "target/libraries.h"
#include "target/loader_machine.h"
#include "target/openmp.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

static const char kind_of_file[] = "openmp";

enum { STATE_SIZE = 128 };

/* A word that is another when the file or folder is another, or was changed; "-" when there is none. */
static void state_of(const struct sysroot *root, const char *path, char state[STATE_SIZE])
{
	struct stat status;

	path += strspn(path, "/");
	if (fstatat(root->fd, *path ? path : ".", &status, 0) < 0) {
		(void)snprintf(state, STATE_SIZE, "-");
		return;
	}
	(void)snprintf(state, STATE_SIZE, "%jx:%jx:%jx:%jx.%lx:%jx.%lx:%x:%x", (uintmax_t)status.st_dev,
		       (uintmax_t)status.st_ino, (uintmax_t)status.st_size, (uintmax_t)status.st_mtim.tv_sec,
		       status.st_mtim.tv_nsec, (uintmax_t)status.st_ctim.tv_sec, status.st_ctim.tv_nsec, status.st_mode,
		       status.st_uid);
}

/* ---- What is looked at while the search is made ---- */

struct watch {
	struct sysroot_watch base;  /* first: opens() is handed this */
	const struct sysroot *root; /* whose own watch is told as well */
	struct words seen;          /* "path", "state" in turn, in the order of their opening */
	bool failed;
};

static void watch_clear(struct watch *watch)
{
	words_clear(&watch->seen);
}
#define cleanup_watch cleanup_(watch_clear)

static void opens(struct sysroot_watch *base, const char *path)
{
	struct watch *watch = (struct watch *)base;
	char state[STATE_SIZE];

	if (watch->root->watch)
		watch->root->watch->opens(watch->root->watch, path);
	/* The state at the first opening counts: what changes during the search is seen at the next start. */
	for (size_t i = 0; i + 1 < watch->seen.count; i += 2) {
		if (strcmp(watch->seen.items[i], path) == 0)
			return;
	}
	state_of(watch->root, path, state);
	watch->failed |= words_add(&watch->seen, path) < 0 || words_add(&watch->seen, state) < 0;
}

/* ---- The key ---- */

static void add_word(struct text *key, const char *word)
{
	text_add(key, "%zu:%s\n", word ? strlen(word) : 0, word ? word : "-");
}

/* Every variable that the search reads; see pyenv.c, python.c, loader.c, program.c. */
static void add_environment(const char *const *environment, struct text *key)
{
	static const char *const prefixes[] = { "LD_", "PYTHON", "PYENV_", "PATH=", "HOME=", "VIRTUAL_ENV=", "CONDA_" };

	for (; environment && *environment; environment++) {
		for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
			if (strncmp(*environment, prefixes[i], strlen(prefixes[i])) == 0)
				add_word(key, *environment);
		}
	}
}

/* Another build of fettle may see the same files differently. */
static void add_self(struct text *key)
{
	const struct elf_facts own = elf_own();
	struct stat status = { .st_size = 0 };

	(void)stat("/proc/self/exe", &status);
	text_add(key, "fettle %jx:%jx:%jx.%lx user %u\n", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino,
		 (uintmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec, geteuid());
	for (const char *const *hwcaps = loader_machine_hwcaps(own.machine, own.class); *hwcaps; hwcaps++)
		add_word(key, *hwcaps);
}

/*
 * Of the program's words the search minds an interpreter's options, "-s" and the like, and where they stand. The
 * others, which may differ at every start, are not told apart.
 */
static void add_words(char *const *argv, struct text *key)
{
	for (char *const *word = argv; word && *word; word++)
		add_word(key, **word != '-' ? "." : (*word)[1] == '-' ? "--" : *word);
}

static char *make_key(const struct libraries_request *request)
{
	struct text key = TEXT_INIT;

	add_self(&key);
	add_word(&key, request->program);
	add_word(&key, request->secure ? "secure" : NULL);
	add_word(&key, request->folder);
	add_environment(request->environment, &key);
	add_words(request->argv, &key);
	return text_take(&key);
}

/* ---- To bytes and back: texts that end with NUL, the watched paths first ---- */

static void put(struct text *bytes, const char *text)
{
	/* An absent text and an empty one are not the same. */
	text_add_bytes(bytes, text ? "=" : "-", 1);
	text_add_bytes(bytes, text ? text : "", (text ? strlen(text) : 0) + 1);
}

static void put_kind(struct text *bytes, enum openmp_kind kind)
{
	put(bytes, openmp_words[kind]);
}

static void pack(const struct watch *watch, const struct openmp_found *found, struct text *bytes)
{
	for (size_t i = 0; i < watch->seen.count; i++)
		put(bytes, watch->seen.items[i]);
	put(bytes, NULL);
	put(bytes, found->program);
	put_kind(bytes, found->kind);
	put(bytes, found->path);
	put(bytes, found->at_start ? "" : NULL);
	put(bytes, found->nobody);
	put_kind(bytes, found->second);
	put(bytes, found->second_path);
	put(bytes, found->second_by);
	for (unsigned i = 0; i < OPENMP_KIND_COUNT; i++) {
		put(bytes, found->candidates[i].path);
		put(bytes, found->candidates[i].why_not);
	}
}

struct reader {
	const char *at, *end;
	bool broken; /* it ended too early, or memory ran out */
};

/* The next text, borrowed; NULL: absent, or broken. */
static const char *get(struct reader *reader)
{
	const char *begin = reader->at;
	const char *nul = begin < reader->end ? memchr(begin, '\0', (size_t)(reader->end - begin)) : NULL;

	if (!nul || (*begin != '=' && *begin != '-')) {
		reader->broken = true;
		return NULL;
	}
	reader->at = nul + 1;
	return *begin == '=' ? begin + 1 : NULL;
}

static char *get_copy(struct reader *reader)
{
	const char *text = get(reader);
	char *copy = text ? strdup(text) : NULL;

	reader->broken |= text && !copy;
	return copy;
}

static enum openmp_kind get_kind(struct reader *reader)
{
	const char *word = get(reader);

	for (unsigned i = 0; word && i < OPENMP_KIND_COUNT; i++) {
		if (strcmp(word, openmp_words[i]) == 0)
			return (enum openmp_kind)i;
	}
	reader->broken = true;
	return OPENMP_ANY;
}

/* Is every path as it was? */
static bool is_unchanged(const struct sysroot *root, struct reader *reader)
{
	const char *path, *state;

	while ((path = get(reader))) {
		char now[STATE_SIZE];

		state = get(reader);
		state_of(root, path, now);
		if (!state || strcmp(state, now) != 0)
			return false;
	}
	return !reader->broken;
}

static int unpack(const struct sysroot *root, const struct kept *kept, struct openmp_found *ret_found)
{
	cleanup_openmp_found struct openmp_found found = { .kind = OPENMP_ANY };
	struct reader reader = { .at = kept->bytes, .end = kept->bytes + kept->length };

	if (!is_unchanged(root, &reader))
		return -ESTALE;
	found.program = get_copy(&reader);
	found.kind = get_kind(&reader);
	found.path = get_copy(&reader);
	found.at_start = get(&reader) != NULL;
	found.nobody = get_copy(&reader);
	found.second = get_kind(&reader);
	found.second_path = get_copy(&reader);
	found.second_by = get_copy(&reader);
	for (unsigned i = 0; i < OPENMP_KIND_COUNT; i++) {
		found.candidates[i].path = get_copy(&reader);
		found.candidates[i].why_not = get_copy(&reader);
	}
	if (reader.broken || reader.at != reader.end)
		return -EBADMSG;
	*ret_found = found;
	found = (struct openmp_found){ .kind = OPENMP_ANY };
	return 0;
}

static int recall(const struct sysroot *root, const char *folder, const char *key, struct openmp_found *ret_found)
{
	cleanup_kept struct kept kept = { .bytes = NULL };
	int r = keep_load(folder, kind_of_file, key, &kept);

	return r < 0 ? r : unpack(root, &kept, ret_found);
}

static int search(const struct libraries_request *request, struct openmp_found *ret_found, struct err *err)
{
	cleanup_libraries struct libraries *libraries = NULL;
	int r = libraries_read(request, &libraries, err);

	if (r < 0)
		return r;
	return openmp_pick(libraries, ret_found) < 0 ? err_nomem(err) : 0;
}

int openmp_find(const struct libraries_request *request, const char *cache_folder, struct openmp_found *ret_found,
		struct err *err)
{
	cleanup_free char *key = cache_folder ? make_key(request) : NULL;
	cleanup_watch struct watch watch = { .base = { .opens = opens }, .root = request->root };
	cleanup_text struct text bytes = TEXT_INIT;
	struct sysroot watched = *request->root;
	struct libraries_request watching = *request;
	int r;

	if (cache_folder && !key)
		return err_nomem(err);
	if (!key)
		return search(request, ret_found, err);
	if (recall(request->root, cache_folder, key, ret_found) == 0)
		return 0;
	watched.watch = &watch.base;
	watching.root = &watched;
	r = search(&watching, ret_found, err);
	if (r < 0)
		return r;
	pack(&watch, ret_found, &bytes);
	/* What cannot be kept is found again next time. */
	if (!watch.failed && !bytes.failed)
		(void)keep_store(cache_folder, kind_of_file, key, bytes.data, bytes.length);
	return 0;
}
