/* SPDX-License-Identifier: Apache-2.0 */
#include "base/answer.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

enum { STATE_SIZE = 17 };

static const char absent[] = "-";

static bool get_status(const struct sysroot *root, const char *path, int flags, struct stat *status)
{
	path += strspn(path, "/");
	return fstatat(root->fd, *path ? path : ".", status, flags) == 0;
}

/* FNV-1a (RFC 9923), a number at a time; the shift has the high digits count too. */
static uint64_t sum_up(const struct stat *status)
{
	const uint64_t parts[] = {
		status->st_dev,
		status->st_ino,
		(uint64_t)status->st_size,
		(uint64_t)status->st_mtim.tv_sec,
		(uint64_t)status->st_mtim.tv_nsec,
		(uint64_t)status->st_ctim.tv_sec,
		(uint64_t)status->st_ctim.tv_nsec,
		status->st_mode,
		status->st_uid,
	};
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		sum = (sum ^ parts[i]) * 0x100000001b3;
		sum ^= sum >> 29;
	}
	return sum;
}

/*
 * A word that is another when the file or folder is another, or was changed; "-" when there is none. Made for each path
 * at each start: printf() would take as long as the kernel does.
 */
static void state_of(const struct sysroot *root, const char *path, char state[STATE_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	struct stat status;
	uint64_t sum;

	if (!get_status(root, path, 0, &status)) {
		memcpy(state, absent, sizeof(absent));
		return;
	}
	sum = sum_up(&status);
	for (unsigned i = 0; i < STATE_SIZE - 1; i++, sum >>= 4)
		state[i] = digits[sum & 15];
	state[STATE_SIZE - 1] = '\0';
}

/* ---- What is looked at while a search is made ---- */

static void opens(struct sysroot_watch *base, const char *path)
{
	struct answer_watch *watch = (struct answer_watch *)base;

	if (watch->outer->watch)
		watch->outer->watch->opens(watch->outer->watch, path);
	answer_watch_path(watch, path);
}

void answer_watch_begin(struct answer_watch *watch, const struct sysroot *root)
{
	*watch = (struct answer_watch){ .base = { .opens = opens }, .root = *root, .outer = root };
	watch->root.watch = &watch->base;
}

void answer_watch_path(struct answer_watch *watch, const char *path)
{
	char state[STATE_SIZE];

	/* The state at the first opening counts: what changes during the search is seen at the next start. */
	for (size_t i = 0; i + 1 < watch->seen.count; i += 2) {
		if (strcmp(watch->seen.items[i], path) == 0)
			return;
	}
	state_of(watch->outer, path, state);
	watch->failed |= words_add(&watch->seen, path) < 0 || words_add(&watch->seen, state) < 0;
}

void answer_watch_clear(struct answer_watch *watch)
{
	words_clear(&watch->seen);
}

/* ---- The key ---- */

void answer_key_word(struct text *key, const char *word)
{
	text_add(key, "%zu:%s\n", word ? strlen(word) : 0, word ? word : "-");
}

void answer_key_self(struct text *key)
{
	struct stat status = { .st_size = 0 };

	(void)stat("/proc/self/exe", &status);
	text_add(key, "fettle %jx:%jx:%jx.%lx user %u\n", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino,
		 (uintmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec, geteuid());
}

/* ---- The answer ---- */

void answer_put(struct text *bytes, const char *text)
{
	/* An absent text and an empty one are not the same. */
	text_add_bytes(bytes, text ? "=" : "-", 1);
	text_add_bytes(bytes, text ? text : "", (text ? strlen(text) : 0) + 1);
}

const char *answer_get(struct answer *answer)
{
	const char *begin = answer->at;
	const char *nul = begin < answer->end ? memchr(begin, '\0', (size_t)(answer->end - begin)) : NULL;

	if (!nul || (*begin != '=' && *begin != '-')) {
		answer->broken = true;
		return NULL;
	}
	answer->at = nul + 1;
	return *begin == '=' ? begin + 1 : NULL;
}

char *answer_get_copy(struct answer *answer)
{
	const char *text = answer_get(answer);
	char *copy = text ? strdup(text) : NULL;

	answer->broken |= text && !copy;
	return copy;
}

int answer_end(const struct answer *answer)
{
	return answer->broken || answer->at != answer->end ? -EBADMSG : 0;
}

void answer_clear(struct answer *answer)
{
	kept_clear(&answer->kept);
}

/* ---- Between two starts ---- */

/* Is every path as it was? They stand in front of the answer, an absent text behind them. */
static bool is_unchanged(const struct sysroot *root, struct answer *answer)
{
	const char *path;

	while ((path = answer_get(answer))) {
		const char *state = answer_get(answer);
		char now[STATE_SIZE];

		state_of(root, path, now);
		if (!state || strcmp(state, now) != 0)
			return false;
	}
	return !answer->broken;
}

int answer_recall(const struct sysroot *root, const char *folder, const char *kind, const char *key,
		  struct answer *ret_answer)
{
	cleanup_answer struct answer answer = { .kept = { .file = NULL } };
	int r = keep_load(folder, kind, key, &answer.kept);

	if (r < 0)
		return r;
	answer.at = answer.kept.bytes;
	answer.end = answer.at + answer.kept.length;
	if (!is_unchanged(root, &answer))
		return -ESTALE;
	*ret_answer = answer;
	answer.kept.file = NULL;
	return 0;
}

/*
 * Is this a name that is not there, in a folder that was watched before it was looked for? Then the folder's state
 * tells of it. A link to nothing is there: what it leads to may come without a change of the folder.
 */
static bool is_told_by_folder(const struct answer_watch *watch, size_t i)
{
	const char *path = watch->seen.items[i], *slash = strrchr(path, '/');
	struct stat status;

	if (!slash || slash == path || strcmp(watch->seen.items[i + 1], absent) != 0 ||
	    get_status(watch->outer, path, AT_SYMLINK_NOFOLLOW, &status))
		return false;
	for (size_t k = 0; k < i; k += 2) {
		const char *folder = watch->seen.items[k];

		if (strncmp(folder, path, (size_t)(slash - path)) == 0 && !folder[slash - path])
			return strcmp(watch->seen.items[k + 1], absent) != 0;
	}
	return false;
}

void answer_remember(const struct answer_watch *watch, const char *folder, const char *kind, const char *key,
		     const struct text *bytes)
{
	cleanup_text struct text all = TEXT_INIT;

	for (size_t i = 0; i + 1 < watch->seen.count; i += 2) {
		if (is_told_by_folder(watch, i))
			continue;
		answer_put(&all, watch->seen.items[i]);
		answer_put(&all, watch->seen.items[i + 1]);
	}
	answer_put(&all, NULL);
	text_add_bytes(&all, bytes->data ? bytes->data : "", bytes->length);
	if (!watch->failed && !bytes->failed && !all.failed)
		(void)keep_store(folder, kind, key, all.data, all.length);
}
