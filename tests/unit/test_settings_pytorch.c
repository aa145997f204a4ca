/* SPDX-License-Identifier: Apache-2.0 */
/* The hook inside PyTorch: when it is brought, by which PYTHONPATH, what it is told. */
#include "settings_scene.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define FOLDER "/opt/lib/fettle/fettle-python"
#define OTHER  "/usr/local/lib/fettle/fettle-python"

static void with_torch(struct scene *scene)
{
	scene->workload.framework = "torch";
	scene->workload.hook.folder = FOLDER;
}

static void it_is_brought_where_torch_is_or_an_option_asks(void **state)
{
	static const struct {
		const char *framework;
		enum choice prepack;
		bool exact;
		const char *value; /* of the row prepack; NULL: none */
	} rows[] = {
		{ "torch", CHOICE_AUTO, false, "auto" }, { "torch", CHOICE_ON, false, "on" },
		{ "torch", CHOICE_OFF, false, NULL },    { "torch", CHOICE_AUTO, true, NULL },
		{ "jaxlib", CHOICE_AUTO, false, NULL },  { NULL, CHOICE_AUTO, false, NULL },
		{ NULL, CHOICE_ON, false, "on" },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		with_torch(scene);
		scene->workload.framework = rows[i].framework;
		scene->workload.request.prepack = rows[i].prepack;
		scene->workload.request.exact = rows[i].exact;
		scene_decide_in(scene, NULL, NULL);
		assert_string_equal(value_of(scene, "prepack", 0), rows[i].value ? rows[i].value : "(none)");
		assert_seen(scene, 0, "PYTHONPATH", rows[i].value ? FOLDER : NULL);
		if (rows[i].value) {
			assert_int_equal(row_of(scene, "prepack", 0)->origin,
					 rows[i].prepack == CHOICE_ON ? ORIGIN_OPTION : ORIGIN_PLAN);
			assert_int_equal(row_of(scene, "prepack", 0)->changes_numbers, NUMBERS_ROUNDING);
		}
	}
}

static void the_users_pythonpath_stays_behind_it(void **state)
{
	static const struct {
		const char *entry, *value;
	} rows[] = {
		{ "PYTHONPATH=/a", FOLDER ":/a" },
		{ "PYTHONPATH=", FOLDER ":" FOLDER },
		{ "PYTHONPATH=:/a:", FOLDER "::/a:" },
		{ "PYTHONPATH=/a:" OTHER, FOLDER ":/a" },
		{ "PYTHONPATH=" OTHER, FOLDER },
		{ "PYTHONPATH=" OTHER ":" OTHER, FOLDER ":" FOLDER },
		{ "PYTHONPATH=/fettle-pythonic", FOLDER ":/fettle-pythonic" },
	};
	struct scene *scene = *state;

	with_torch(scene);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const bool outer = strstr(rows[i].entry, OTHER) != NULL;

		scene_decide_in(scene, rows[i].entry, outer ? "FETTLE_PLAN=1;set=PYTHONPATH" : NULL);
		assert_seen(scene, 0, "PYTHONPATH", rows[i].value);
		assert_int_equal(rows_of(scene, "PYTHONPATH"), 1);
	}
	/* A fettle inside that has nothing for it to do. */
	scene->workload.request.prepack = CHOICE_OFF;
	scene_decide_in(scene, "PYTHONPATH=" OTHER ":/a", "FETTLE_PLAN=1;set=PYTHONPATH");
	assert_seen(scene, 0, "PYTHONPATH", "/a");
	scene_decide_in(scene, "PYTHONPATH=" OTHER, "FETTLE_PLAN=1;set=PYTHONPATH");
	assert_seen(scene, 0, "PYTHONPATH", NULL);
}

static void the_record_tells_it_what_to_do(void **state)
{
	struct scene *scene = *state;

	with_torch(scene);
	scene_decide_in(scene, NULL, NULL);
	assert_non_null(
		strstr(value_of(scene, "FETTLE_PLAN", 0), ";hook=prepack:auto,channels-last:auto,fuse:auto;set="));
	assert_int_equal(fact_set(&scene->machine.limits.memory_bytes, FACT_KNOWN, (uint64_t)8 << 30, "/limit", NULL),
			 0);
	scene_instances(scene, 2, PIN_INSTANCE);
	scene->workload.request.prepack = CHOICE_ON;
	scene->workload.request.channels_last = CHOICE_OFF;
	scene->workload.hook.says = scene->workload.hook.forgets = true;
	scene_decide_in(scene, NULL, NULL);
	assert_non_null(strstr(value_of(scene, "FETTLE_PLAN", 1), ";hook=prepack:on,memory:1073741824,says,forgets;"));
	scene->workload.workers = 4; /* each packs its own */
	scene_decide_in(scene, NULL, NULL);
	assert_non_null(strstr(value_of(scene, "FETTLE_PLAN", 1), ";hook=prepack:on,memory:268435456,says,forgets;"));
	assert_non_null(strstr(value_of(scene, "GLIBC_TUNABLES", 1), "trim_threshold=134217728"));
	scene->workload.workers = 0;
	scene->workload.request.prepack = CHOICE_OFF;
	scene_decide_in(scene, NULL, NULL);
	assert_null(strstr(value_of(scene, "FETTLE_PLAN", 0), "hook="));
	fact_clear(&scene->machine.limits.memory_bytes);
}

static void where_it_cannot_get_in_auto_says_so_and_on_is_refused(void **state)
{
	struct scene *scene = *state;

	for (int way = 0; way < 3; way++) {
		with_torch(scene);
		scene->workload.hook.closed = way == 0 ? "-I" : NULL;
		scene->workload.hook.folder = way == 1 ? NULL : FOLDER;
		scene->unset[0] = "PYTHONPATH";
		scene->workload.wishes.unset_count = way == 2;
		scene->workload.request.prepack = CHOICE_AUTO;
		scene_decide_in(scene, NULL, NULL);
		assert_non_null(note(&scene->plan.reasons, "pytorch-hook"));
		assert_seen(scene, 0, "PYTHONPATH", NULL);
		assert_null(strstr(value_of(scene, "FETTLE_PLAN", 0), "hook="));
		scene->workload.request.prepack = CHOICE_ON;
		assert_int_equal(scene_decide(scene), -EINVAL);
		assert_non_null(strstr(scene->err.text, "--prepack on: "));
		assert_int_equal(strstr(scene->err.text, "(-I)") != NULL, way == 0);
	}
	scene->workload.wishes.unset_count = 0;
	with_torch(scene);
	scene->workload.request.exact = true;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--exact"));
}

/* The Python that it may start is not known: nothing is said of what cannot be had. */
static void it_goes_along_with_what_starts_others(void **state)
{
	struct scene *scene = *state;

	with_torch(scene);
	scene->workload.framework = NULL;
	scene->workload.starter = "bash";
	scene_decide_in(scene, NULL, NULL);
	assert_string_equal(value_of(scene, "prepack", 0), "auto");
	assert_seen(scene, 0, "PYTHONPATH", FOLDER);
	assert_non_null(strstr(row_of(scene, "PYTHONPATH", 0)->why, "; bash may start"));
	scene->workload.hook.folder = NULL;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "PYTHONPATH", NULL);
	assert_null(note(&scene->plan.reasons, "pytorch-hook"));
	scene->workload.starter = NULL;
}

static void channels_last_goes_with_packed_weights(void **state)
{
	struct scene *scene = *state;

	with_torch(scene);
	scene_decide_in(scene, NULL, NULL);
	assert_string_equal(value_of(scene, "channels-last", 0), "auto");
	assert_int_equal(row_of(scene, "channels-last", 0)->origin, ORIGIN_PLAN);
	scene->workload.framework = NULL; /* asked for, the hook goes into any Python */
	scene->workload.request.channels_last = CHOICE_ON;
	scene_decide_in(scene, NULL, NULL);
	assert_int_equal(row_of(scene, "channels-last", 0)->origin, ORIGIN_OPTION);
	assert_seen(scene, 0, "PYTHONPATH", FOLDER);
	scene->workload.request.prepack = CHOICE_OFF;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--prepack is off"));
	scene->workload.request.prepack = CHOICE_AUTO;
	scene->workload.request.exact = true;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--exact and --channels-last on"));
}

static void fusing_goes_with_channels_last(void **state)
{
	struct scene *scene = *state;

	with_torch(scene);
	scene_decide_in(scene, NULL, NULL);
	assert_int_equal(row_of(scene, "fuse", 0)->origin, ORIGIN_PLAN);
	assert_non_null(strstr(value_of(scene, "FETTLE_PLAN", 0), ";hook=prepack:auto,channels-last:auto,fuse:auto;"));
	scene->workload.request.fuse = CHOICE_OFF;
	scene_decide_in(scene, NULL, NULL);
	assert_int_equal(rows_of(scene, "fuse"), 0);
	scene->workload.framework = NULL; /* asked for, the hook goes into any Python */
	scene->workload.request.fuse = CHOICE_ON;
	scene_decide_in(scene, NULL, NULL);
	assert_int_equal(row_of(scene, "fuse", 0)->origin, ORIGIN_OPTION);
	assert_int_equal(row_of(scene, "fuse", 0)->changes_numbers, NUMBERS_ROUNDING);
	assert_non_null(strstr(value_of(scene, "FETTLE_PLAN", 0), ";hook=prepack:auto,channels-last:auto,fuse:on;"));
	scene->workload.request.channels_last = CHOICE_OFF;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--channels-last is off"));
	scene->workload.request.prepack = CHOICE_OFF;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--prepack is off"));
	scene->workload.request.prepack = CHOICE_AUTO;
	scene->workload.request.exact = true;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--exact and --fuse on"));
}

static void another_precision_is_what_the_processor_can(void **state)
{
	static const struct {
		const char *isa; /* NULL: not known */
		enum precision precision;
		const char *refused; /* NULL: it is not */
	} rows[] = {
		{ "avx2 avx512_bf16 avx512f", PRECISION_BF16, NULL },
		{ "avx2 amx_bf16", PRECISION_BF16, NULL },
		{ "asimd bf16", PRECISION_BF16, NULL },
		{ NULL, PRECISION_BF16, NULL },
		{ "avx2 avx512f avx512_bf16x", PRECISION_BF16, "no instructions for bfloat16" },
		{ "avx512_bf16 amx_bf16", PRECISION_TF32, "amx_fp16" },
		{ "avx512_bf16 amx_fp16", PRECISION_TF32, "could not tell how far" },
		{ NULL, PRECISION_TF32, "could not tell how far" },
		{ "avx2", PRECISION_F32, NULL },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const bool lowered = rows[i].precision == PRECISION_BF16;

		with_torch(scene);
		scene->workload.hook.isa = rows[i].isa;
		scene->workload.request.precision = rows[i].precision;
		if (rows[i].refused) {
			assert_int_equal(scene_decide(scene), -EINVAL);
			assert_non_null(strstr(scene->err.text, rows[i].refused));
			continue;
		}
		scene_decide_in(scene, NULL, NULL);
		assert_string_equal(value_of(scene, "precision", 0), lowered ? "bf16" : "(none)");
		assert_int_equal(strstr(value_of(scene, "FETTLE_PLAN", 0), ",precision:bf16") != NULL, lowered);
		if (lowered)
			assert_int_equal(row_of(scene, "precision", 0)->changes_numbers, NUMBERS_CHANGED);
	}
}

static void a_precision_is_not_contradicted(void **state)
{
	struct scene *scene = *state;

	with_torch(scene);
	scene->workload.request.precision = PRECISION_F32;
	scene->workload.request.fpmath = FPMATH_STRICT;
	scene_decide_in(scene, NULL, NULL);
	scene->workload.request.fpmath = FPMATH_BF16;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--precision f32 and --fpmath bf16"));
	scene->workload.request.fpmath = FPMATH_DEFAULT;
	scene->workload.request.precision = PRECISION_BF16;
	scene->workload.hook.quiet = true;
	scene_decide_in(scene, NULL, NULL);
	assert_non_null(strstr(value_of(scene, "FETTLE_PLAN", 0), ",precision:bf16,quiet;"));
	assert_non_null(strstr(value_of(scene, "FETTLE_PLAN", 0), ",fuse:auto"));
	scene->workload.request.prepack = CHOICE_OFF;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--precision bf16 is of packed layers"));
	scene->workload.request.prepack = CHOICE_AUTO;
	scene->workload.request.exact = true;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--exact and --precision bf16"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_brought_where_torch_is_or_an_option_asks),
		TEST(the_users_pythonpath_stays_behind_it),
		TEST(the_record_tells_it_what_to_do),
		TEST(it_goes_along_with_what_starts_others),
		TEST(channels_last_goes_with_packed_weights),
		TEST(another_precision_is_what_the_processor_can),
		TEST(a_precision_is_not_contradicted),
		TEST(fusing_goes_with_channels_last),
		TEST(where_it_cannot_get_in_auto_says_so_and_on_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
