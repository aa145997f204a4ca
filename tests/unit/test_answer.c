/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that hold as long as the files do that they were made of. */
#include "base/answer.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "elf_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
	char *tree, *cache;
	struct sysroot root;
};

static void scene_clear(struct scene *scene)
{
	sysroot_close(&scene->root);
	tree_remove(scene->tree);
	tree_remove(scene->cache);
}
#define cleanup_scene cleanup_(scene_clear)

static void scene_init(struct scene *scene)
{
	struct err err = { 0 };

	*scene = (struct scene){ .tree = tree_make(), .cache = tree_make(), .root = SYSROOT_INIT };
	assert_int_equal(sysroot_open(&scene->root, scene->tree, &err), 0);
}

/* Remember an answer that opened `paths` in turn. */
static void remember(const struct scene *scene, const char *const *paths)
{
	cleanup_answer_watch struct answer_watch watch;
	cleanup_text struct text bytes = TEXT_INIT;

	answer_watch_begin(&watch, &scene->root);
	for (; *paths; paths++)
		(void)sysroot_has_folder(&watch.root, *paths);
	answer_put(&bytes, "one");
	answer_put(&bytes, NULL);
	answer_put(&bytes, "");
	answer_remember(&watch, scene->cache, "test", "key", &bytes);
}

static int recall(const struct scene *scene)
{
	cleanup_answer struct answer answer = { .at = NULL };
	int r = answer_recall(&scene->root, scene->cache, "test", "key", &answer);

	if (r < 0)
		return r;
	assert_string_equal(answer_get(&answer), "one");
	assert_int_equal(answer_end(&answer), -EBADMSG);
	assert_null(answer_get(&answer));
	assert_string_equal(answer_get(&answer), "");
	assert_int_equal(answer_end(&answer), 0);
	assert_null(answer_get(&answer));
	assert_int_equal(answer_end(&answer), -EBADMSG);
	return 0;
}

static void an_answer_comes_back_text_by_text(void **state)
{
	static const char *const paths[] = { "/a", NULL };
	cleanup_scene struct scene scene;

	(void)state;
	scene_init(&scene);
	assert_int_equal(recall(&scene), -ENOENT);
	remember(&scene, paths);
	assert_int_equal(recall(&scene), 0);
}

/* What changes, by the paths that were opened before; each is to be noticed, and the same again is not. */
static void every_change_of_what_was_opened_is_noticed(void **state)
{
	static const struct {
		const char *what, *paths[4], *change;
	} rows[] = {
		{ "a file that was not there", { "/d/new", NULL }, "/d/new" },
		{ "one in a folder that was opened before", { "/d", "/d/new", NULL }, "/d/new" },
		{ "one in a folder that was opened after", { "/d/new", "/d", NULL }, "/d/new" },
		{ "one in a folder that was not there", { "/e", "/e/new", NULL }, "/e/new" },
		{ "a link that led nowhere", { "/d", "/d/link", NULL }, "/aim" },
		{ "a file that is another", { "/d", "/d/old", NULL }, "/d/old" },
		{ "a folder with one more in it", { "/d", NULL }, "/d/whatever" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_scene struct scene scene;

		scene_init(&scene);
		tree_make_text(scene.tree, "/d/old", "old");
		tree_make_link(scene.tree, "/d/link", "../aim");
		remember(&scene, rows[i].paths);
		assert_int_equal(recall(&scene), 0);
		tree_make_text(scene.tree, rows[i].change, "changed");
		if (recall(&scene) != -ESTALE)
			fail_msg("%s goes unnoticed", rows[i].what);
		remember(&scene, rows[i].paths);
		assert_int_equal(recall(&scene), 0);
	}
}

static void mode_and_time_count_too(void **state)
{
	static const char *const paths[] = { "/f", NULL };
	cleanup_scene struct scene scene;
	cleanup_free char *file = NULL;
	const struct timespec times[] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	(void)state;
	scene_init(&scene);
	tree_make_text(scene.tree, "/f", "");
	assert_true(asprintf(&file, "%s/f", scene.tree) > 0);
	remember(&scene, paths);
	assert_int_equal(chmod(file, 0755), 0);
	assert_int_equal(recall(&scene), -ESTALE);
	remember(&scene, paths);
	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
	assert_int_equal(recall(&scene), -ESTALE);
}

static void no_two_questions_have_one_key(void **state)
{
	cleanup_text struct text a = TEXT_INIT, b = TEXT_INIT;

	(void)state;
	answer_key_word(&a, "x\n1:y");
	answer_key_word(&b, "x");
	answer_key_word(&b, "y");
	assert_string_not_equal(a.data, b.data);
	text_clear(&a);
	text_clear(&b);
	answer_key_word(&a, NULL);
	answer_key_word(&b, "-");
	assert_string_not_equal(a.data, b.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_comes_back_text_by_text),
		cmocka_unit_test(every_change_of_what_was_opened_is_noticed),
		cmocka_unit_test(mode_and_time_count_too),
		cmocka_unit_test(no_two_questions_have_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
