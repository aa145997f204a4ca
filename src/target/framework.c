/* SPDX-License-Identifier: Apache-2.0 */
#include "target/framework.h"

#include "base/answer.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "target/libraries.h"
#include "target/packages.h"
#include "target/program.h"

#include <string.h>

static const char kind_of_file[] = "framework";

void framework_clear(struct framework *framework)
{
	free(framework->name);
	free(framework->closed);
	*framework = (struct framework){ .name = NULL };
}

/* Copies of both. */
static int fill(const char *name, const char *closed, struct framework *ret_framework)
{
	cleanup_framework struct framework framework = { .name = name ? strdup(name) : NULL,
							 .closed = closed ? strdup(closed) : NULL };

	if ((name && !framework.name) || (closed && !framework.closed))
		return -ENOMEM;
	*ret_framework = framework;
	framework = (struct framework){ .name = NULL };
	return 0;
}

/* `packages_root`: the packages are looked for below it; else what `request` says. */
static int search(const struct libraries_request *request, const struct sysroot *packages_root,
		  struct framework *ret_framework)
{
	cleanup_program struct program program = { .path = NULL };
	cleanup_python struct python *python = NULL;
	struct err why = { .code = 0 };
	const char *name = NULL;
	char *const *argv = NULL;
	int r = program_follow_words(request->root, request->program, request->argv, request->environment,
				     request->folder, &program, &argv, &why);

	/* What cannot be followed will be said when it is started. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (!python_is(tree_name(program.path)))
		return 0;
	r = python_find_sites(request->root, &program, request->environment, request->folder, argv, &python, &why);
	if (r == 0)
		r = packages_framework(packages_root, python, &name);
	if (r < 0)
		return r;
	return fill(name, python->closed, ret_framework);
}

static int recall(const struct sysroot *root, const char *folder, const char *key, struct framework *ret_framework)
{
	cleanup_answer struct answer answer = { .at = NULL };
	cleanup_framework struct framework framework = { .name = NULL };
	int r = answer_recall(root, folder, kind_of_file, key, &answer);

	if (r < 0)
		return r;
	framework.name = answer_get_copy(&answer);
	framework.closed = answer_get_copy(&answer);
	r = answer_end(&answer);
	if (r < 0)
		return r;
	*ret_framework = framework;
	framework = (struct framework){ .name = NULL };
	return 0;
}

int framework_find(const struct libraries_request *request, const char *cache_folder, struct framework *ret_framework,
		   struct err *err)
{
	cleanup_free char *key = cache_folder ? libraries_key(request) : NULL;
	cleanup_answer_watch struct answer_watch watch = { .failed = false };
	cleanup_text struct text bytes = TEXT_INIT;
	struct libraries_request watching = *request;
	struct framework framework = { .name = NULL };

	if (cache_folder && !key)
		return err_nomem(err);
	if (key && recall(request->root, cache_folder, key, ret_framework) == 0)
		return 0;
	answer_watch_begin(&watch, request->root);
	watching.root = &watch.root;
	/* Each folder with packages is watched, and that tells of every name in it. */
	if (search(&watching, request->root, &framework) < 0)
		return err_nomem(err);
	answer_put(&bytes, framework.name);
	answer_put(&bytes, framework.closed);
	if (key)
		answer_remember(&watch, cache_folder, kind_of_file, key, &bytes);
	*ret_framework = framework;
	return 0;
}
