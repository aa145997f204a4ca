/* SPDX-License-Identifier: Apache-2.0 */
/* openmp_find(): the answer, remembered (base/answer.h). */
#include "base/answer.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "target/libraries.h"
#include "target/openmp.h"

#include <string.h>

static const char kind_of_file[] = "openmp";

static void put_kind(struct text *bytes, enum openmp_kind kind)
{
	answer_put(bytes, openmp_words[kind]);
}

static void pack(const struct openmp_found *found, struct text *bytes)
{
	answer_put(bytes, found->program);
	put_kind(bytes, found->kind);
	answer_put(bytes, found->path);
	answer_put(bytes, found->at_start ? "" : NULL);
	answer_put(bytes, found->nobody);
	put_kind(bytes, found->second);
	answer_put(bytes, found->second_path);
	answer_put(bytes, found->second_by);
	for (unsigned i = 0; i < OPENMP_KIND_COUNT; i++) {
		answer_put(bytes, found->candidates[i].path);
		answer_put(bytes, found->candidates[i].why_not);
	}
}

static enum openmp_kind get_kind(struct answer *answer)
{
	const char *word = answer_get(answer);

	for (unsigned i = 0; word && i < OPENMP_KIND_COUNT; i++) {
		if (strcmp(word, openmp_words[i]) == 0)
			return (enum openmp_kind)i;
	}
	answer->broken = true;
	return OPENMP_ANY;
}

static int unpack(struct answer *answer, struct openmp_found *ret_found)
{
	cleanup_openmp_found struct openmp_found found = { .kind = OPENMP_ANY };
	int r;

	found.program = answer_get_copy(answer);
	found.kind = get_kind(answer);
	found.path = answer_get_copy(answer);
	found.at_start = answer_get(answer) != NULL;
	found.nobody = answer_get_copy(answer);
	found.second = get_kind(answer);
	found.second_path = answer_get_copy(answer);
	found.second_by = answer_get_copy(answer);
	for (unsigned i = 0; i < OPENMP_KIND_COUNT; i++) {
		found.candidates[i].path = answer_get_copy(answer);
		found.candidates[i].why_not = answer_get_copy(answer);
	}
	r = answer_end(answer);
	if (r < 0)
		return r;
	*ret_found = found;
	found = (struct openmp_found){ .kind = OPENMP_ANY };
	return 0;
}

static int recall(const struct sysroot *root, const char *folder, const char *key, struct openmp_found *ret_found)
{
	cleanup_answer struct answer answer = { .at = NULL };
	int r = answer_recall(root, folder, kind_of_file, key, &answer);

	return r < 0 ? r : unpack(&answer, ret_found);
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
	cleanup_free char *key = cache_folder ? libraries_key(request) : NULL;
	cleanup_answer_watch struct answer_watch watch = { .failed = false };
	cleanup_text struct text bytes = TEXT_INIT;
	struct libraries_request watching = *request;
	int r;

	if (cache_folder && !key)
		return err_nomem(err);
	if (!key)
		return search(request, ret_found, err);
	if (recall(request->root, cache_folder, key, ret_found) == 0)
		return 0;
	answer_watch_begin(&watch, request->root);
	watching.root = &watch.root;
	r = search(&watching, ret_found, err);
	if (r < 0)
		return r;
	pack(ret_found, &bytes);
	answer_remember(&watch, cache_folder, kind_of_file, key, &bytes);
	return 0;
}
