/* SPDX-License-Identifier: Apache-2.0 */
#include "target/ld_conf.h"

#include "base/cleanup.h"
#include "base/words.h"
#include "target/tree.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

enum {
	FILE_MAX_BYTES = 1 << 20,
	DEPTH_MAX = 8,    /* files that include each other */
	READS_MAX = 1024, /* files and folders in all */
};

static const char blanks[] = " \t\r\f\v";

/* One reading of the file and all it includes. */
struct conf {
	const struct sysroot *root;
	struct words *folders;
	unsigned reads; /* files and folders so far */
};

static int read_file(struct conf *conf, const char *path, unsigned depth);

static bool is_blank(char c)
{
	return c && strchr(blanks, c);
}

static size_t word_length(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && text[i] && !is_blank(text[i]))
		i++;
	return i;
}

static size_t gap_length(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && is_blank(text[i]))
		i++;
	return i;
}

enum ld_conf_kind ld_conf_line(const char *text, size_t length, const char **ret_value, size_t *ret_length)
{
	static const char include[] = "include", features[] = "hwcap";
	const char *comment = memchr(text, '#', length), *kind;
	size_t word, gap;

	if (comment)
		length = (size_t)(comment - text);
	gap = gap_length(text, length);
	text += gap;
	length -= gap;
	while (length && is_blank(text[length - 1]))
		length--;
	if (!length)
		return LD_CONF_NOTHING;
	word = word_length(text, length);
	if (word == strlen(features) && memcmp(text, features, word) == 0)
		return LD_CONF_NOTHING;
	if (word == strlen(include) && memcmp(text, include, word) == 0) {
		gap = gap_length(text + word, length - word);
		*ret_value = text + word + gap;
		*ret_length = length - word - gap;
		return *ret_length ? LD_CONF_INCLUDE : LD_CONF_NOTHING;
	}
	kind = memchr(text, '=', length);
	if (kind)
		length = (size_t)(kind - text);
	while (length > 1 && text[length - 1] == '/')
		length--;
	if (!length || text[0] != '/')
		return LD_CONF_NOTHING; /* ldconfig ignores a folder that is not whole, and says so */
	*ret_value = text;
	*ret_length = length;
	return LD_CONF_FOLDER;
}

/* Follow the pattern below `folder`, a part of the path at a time. */
static int include_below(struct conf *conf, const char *folder, const char *pattern, unsigned depth)
{
	cleanup_words struct words names = { 0 };
	cleanup_free char *part = NULL;
	size_t length;
	int r = 0;

	pattern += strspn(pattern, "/");
	length = strcspn(pattern, "/");
	part = strndup(pattern, length);
	if (!part)
		return -ENOMEM;
	pattern += length;
	if (strpbrk(part, "*?[") && conf->reads++ >= READS_MAX)
		return 0;
	if (strpbrk(part, "*?["))
		r = tree_names(conf->root, folder, false, &names);
	else
		r = words_add(&names, part);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < names.count; i++) {
		cleanup_free char *path = NULL;

		if (strcmp(names.items[i], part) != 0 && fnmatch(part, names.items[i], FNM_PERIOD) != 0)
			continue;
		path = tree_join(folder, names.items[i]);
		if (!path)
			return -ENOMEM;
		r = *pattern ? include_below(conf, path, pattern, depth) : read_file(conf, path, depth);
		if (r == -ENOMEM)
			return r;
	}
	return 0;
}

/* Each pattern of an include line; one that is not whole counts from the folder of the file it stands in. */
static int include_all(struct conf *conf, const char *folder, const char *patterns, size_t length, unsigned depth)
{
	int r = 0;

	while (length && r == 0) {
		const size_t word = word_length(patterns, length);
		const size_t step = word + gap_length(patterns + word, length - word);
		cleanup_free char *pattern = strndup(patterns, word);

		if (!pattern)
			return -ENOMEM;
		if (word && word <= 1024)
			r = include_below(conf, *pattern == '/' ? "/" : folder, pattern, depth);
		/* A NUL byte stops a word without being a gap. */
		patterns += step ? step : 1;
		length -= step ? step : 1;
	}
	return r;
}

static int read_file(struct conf *conf, const char *path, unsigned depth)
{
	cleanup_free char *folder = tree_parent(path);
	cleanup_free char *bytes = NULL;
	size_t length = 0;
	int r;

	if (!folder)
		return -ENOMEM;
	if (depth == DEPTH_MAX || conf->reads++ >= READS_MAX)
		return 0;
	r = tree_read(conf->root, path, FILE_MAX_BYTES, &bytes, &length);
	for (const char *line = bytes, *end; r == 0 && line < bytes + length; line = end + 1) {
		const char *value;
		size_t value_length;

		end = memchr(line, '\n', (size_t)(bytes + length - line));
		end = end ? end : bytes + length;
		switch (ld_conf_line(line, (size_t)(end - line), &value, &value_length)) {
		case LD_CONF_FOLDER:
			r = words_add_bytes(conf->folders, value, value_length);
			break;
		case LD_CONF_INCLUDE:
			r = include_all(conf, folder, value, value_length, depth + 1);
			break;
		case LD_CONF_NOTHING:
			break;
		}
	}
	return r;
}

int ld_conf_folders(const struct sysroot *root, const char *path, struct words *folders)
{
	struct conf conf = { .root = root, .folders = folders };

	return read_file(&conf, path, 0);
}

int ld_conf_musl(const char *text, struct words *folders)
{
	int r = 0;

	while (*text && r == 0) {
		const size_t length = strcspn(text, ":\n");

		if (length)
			r = words_add_bytes(folders, text, length);
		text += length;
		text += *text != '\0';
	}
	return r;
}
