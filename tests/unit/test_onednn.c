/* SPDX-License-Identifier: Apache-2.0 */
/* From a stream to a profile, findings and the document. */
#include "base/cleanup.h"
#include "base/err.h"
#include "machine/isa.h"
#include "onednn/advice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

struct scene {
	struct onednn_profile *profile;
	struct onednn_advice advice;
};

static void scene_clear(struct scene *scene)
{
	onednn_advice_clear(&scene->advice);
	onednn_profile_free(scene->profile);
}
#define cleanup_scene cleanup_(scene_clear)

static void scene_begin(struct scene *scene)
{
	scene->profile = onednn_profile_new();
	assert_non_null(scene->profile);
}

static __attribute__((format(printf, 2, 3))) void say(struct scene *scene, const char *format, ...)
{
	char text[1024];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	onednn_profile_feed(scene->profile, text, (size_t)length);
}

static void scene_end(struct scene *scene, const char *flags)
{
	struct err err = { 0 };

	assert_int_equal(onednn_profile_end(scene->profile, &err), 0);
	assert_int_equal(onednn_advise(scene->profile, 0, flags, &scene->advice, &err), 0);
}

static void say_head(struct scene *scene, const char *isa)
{
	say(scene,
	    "onednn_verbose,v1,info,oneDNN v3.12.0 (commit x)\nonednn_verbose,v1,info,cpu,runtime:OpenMP,nthr:2\n");
	say(scene, "onednn_verbose,v1,info,cpu,isa:%s\n", isa);
}

static void say_matmul(struct scene *scene, const char *operation, unsigned rows, double ms)
{
	say(scene,
	    "onednn_verbose,v1,primitive,%s,cpu,matmul,brg:avx512_core,undef,src:f32::blocked:ab::f0 "
	    "wei:f32::blocked:ab::f0 dst:f32::blocked:ab::f0,attr-scratchpad:user,,%ux64:64x32,%g\n",
	    operation, rows, ms);
}

static void say_reorder(struct scene *scene, double ms)
{
	say(scene,
	    "onednn_verbose,v1,primitive,exec,cpu,reorder,jit:blk,undef,src:f32::blocked:aBcd16b::f0 "
	    "dst:f32::blocked:abcd::f0,,,4x16x38x38,%g\n",
	    ms);
}

static const struct onednn_finding *found(const struct scene *scene, const char *id)
{
	for (size_t i = 0; i < scene->advice.finding_count; i++) {
		if (strcmp(scene->advice.findings[i].id, id) == 0)
			return &scene->advice.findings[i];
	}
	return NULL;
}

static void time_is_added_up_by_kind_and_implementation(void **state)
{
	cleanup_scene struct scene scene = { 0 };
	const struct onednn_profile *profile;
	size_t longest[4];

	(void)state;
	scene_begin(&scene);
	say_head(&scene, "Intel AVX2");
	for (unsigned i = 1; i <= 10; i++) {
		say_matmul(&scene, "create:cache_miss", i, 0.5);
		say_matmul(&scene, "exec", i, i);
		say_matmul(&scene, "exec", i, i);
	}
	say_reorder(&scene, 90);
	say(&scene, "hello\n");
	scene_end(&scene, NULL);
	profile = scene.profile;
	assert_int_equal(profile->row_count, 2);
	assert_string_equal(profile->rows[0].kind, "matmul");
	assert_int_equal(profile->rows[0].calls, 20);
	assert_int_equal(profile->rows[0].creations, 10);
	assert_true(profile->rows[0].ms == 110 && profile->rows[0].create_ms == 5);
	assert_true(profile->rows[0].flop == 2.0 * 2 * 55 * 64 * 32);
	assert_true(onednn_share(profile, profile->rows[1].ms) == 0.45);
	assert_int_equal(profile->executions, 21);
	assert_int_equal(profile->kept, 10 + 1);
	assert_int_equal(profile->streams, 1);
	assert_int_equal(profile->stream.other_lines, 1);
	assert_string_equal(profile->runtime, "OpenMP,nthr:2");
	assert_int_equal(onednn_profile_longest(profile, ONEDNN_REORDER, 4, longest), 1);
	assert_int_equal(onednn_profile_longest(profile, 0, 4, longest), 4);
	assert_true(profile->primitives.items[longest[0]].exec_ms == 90);
	assert_true(profile->primitives.items[longest[3]].exec_ms == 16);
	assert_int_equal(profile->primitives.items[longest[0]].row, 1);
}

static void a_thrashing_cache_is_found_and_priced(void **state)
{
	cleanup_scene struct scene scene = { 0 };
	const struct onednn_finding *finding;

	(void)state;
	scene_begin(&scene);
	say_head(&scene, "Intel AVX-512");
	for (unsigned i = 0; i < 8 * 2000; i++)
		say_matmul(&scene, "create:cache_miss", 1 + i % 2000, 0.25);
	scene_end(&scene, NULL);
	finding = found(&scene, "primitive-cache-thrash");
	assert_non_null(finding);
	assert_string_equal(finding->severity, "warning");
	assert_non_null(strstr(finding->remedy, "ONEDNN_PRIMITIVE_CACHE_CAPACITY=2048"));
	assert_int_equal(scene.advice.sizing.recommended, 2048);
	assert_true(scene.advice.sizing.saves_ms == 3500);
	assert_true(scene.advice.has_cost);
	assert_true(scene.advice.cost_bytes == 243000.0 * (2000 - 1024));
	assert_non_null(strstr(scene.advice.why, "as the default of 1024 gives"));
}

/* 50 shapes, again and again, and 1,900 that came once: less than 1024 is as good, and memory is saved. */
static void less_is_said_where_less_is_enough(void **state)
{
	cleanup_scene struct scene scene = { 0 };

	(void)state;
	scene_begin(&scene);
	say_head(&scene, "Intel AVX-512");
	for (unsigned i = 0; i < 19000; i++) {
		say_matmul(&scene, i < 50 ? "create:cache_miss" : "create:cache_hit", 1 + i % 50, 0.25);
		if (i % 10 == 0)
			say_matmul(&scene, "create:cache_miss", 1000 + i / 10, 0.25);
	}
	scene_end(&scene, NULL);
	assert_int_equal(scene.advice.sizing.recommended, 64);
	assert_true(scene.advice.cost_bytes == 243000.0 * (64 - 1024));
	assert_null(found(&scene, "primitive-cache-thrash"));
	assert_non_null(strstr(scene.advice.why, "less saves memory at no loss"));
}

static void reorders_and_plain_data_are_found(void **state)
{
	cleanup_scene struct scene scene = { 0 };

	(void)state;
	scene_begin(&scene);
	say_head(&scene, "Intel AVX-512");
	say_matmul(&scene, "exec", 1, 60);
	say_reorder(&scene, 30);
	say(&scene, "onednn_verbose,v1,primitive,exec,cpu,pooling,jit:avx2,forward_inference,src:f32::blocked:abcd::f0 "
		    "dst:f32::blocked:abcd::f0,,alg:pooling_max,mb1ic8,10\n");
	scene_end(&scene, NULL);
	assert_non_null(found(&scene, "layout-slow"));
	assert_non_null(strstr(found(&scene, "layout-slow")->text, "30.0 %"));
	assert_int_equal(found(&scene, "layout-slow")->evidence.count, 3);
	assert_string_equal(found(&scene, "layout-slow")->evidence.items[1],
			    "30.0 ms: reorder 4x16x38x38, 1 execution");
	assert_string_equal(found(&scene, "layout-slow")->evidence.items[2], "10.0 ms: pooling mb1ic8, 1 execution");
	assert_true(scene.profile->times.plain == 10 && scene.profile->times.activation_reorder == 30);
}

static void instructions_that_lie_idle_are_found(void **state)
{
	static const struct {
		const char *isa, *flags, *due; /* NULL: nothing is found */
	} rows[] = {
		{ "Intel AVX2", "avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni", "AVX-512, VNNI" },
		{ "Intel AVX2", "avx2 avx512f", NULL },
		{ "Intel AVX-512 with Intel DL Boost",
		  "avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16 amx_tile", "bf16, AMX" },
		{ "Intel AVX2", NULL, NULL },
		{ "Intel AVX10.1 and Intel AMX with bfloat16 and 8-bit integer support",
		  "avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16 amx_tile", "bf16 faster, with AMX" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_scene struct scene scene = { 0 };
		const struct onednn_finding *finding;

		scene_begin(&scene);
		say_head(&scene, rows[i].isa);
		say_matmul(&scene, "exec", 1, 60);
		scene_end(&scene, rows[i].flags);
		finding = found(&scene, "isa-limited");
		assert_int_equal(finding != NULL, rows[i].due != NULL);
		if (finding && rows[i].due)
			assert_non_null(strstr(finding->text, rows[i].due));
	}
}

static void what_a_stream_does_not_say_is_null(void **state)
{
	cleanup_scene struct scene scene = { 0 };
	json_t *document, *cache;

	(void)state;
	scene_begin(&scene);
	say_matmul(&scene, "exec", 1, 60);
	scene_end(&scene, NULL);
	document = onednn_to_json(scene.profile, &scene.advice, 5);
	cache = json_object_get(document, "cache");
	assert_true(json_is_null(json_object_get(document, "isa")));
	assert_true(json_is_null(json_object_get(cache, "hits")));
	assert_true(json_is_null(json_object_get(cache, "recommended_capacity")));
	assert_true(json_is_null(json_object_get(cache, "costs_bytes")));
	assert_true(json_array_size(json_object_get(document, "unknown")) >= 8);
	assert_true(json_is_real(json_object_get(json_object_get(document, "layout"), "reorder_share")));
	assert_int_equal(json_integer_value(json_object_get(document, "streams")), 1);
	json_decref(document);
}

/* Two processes one after the other: the second's cache is empty, and what it asks for is no reuse. */
static void processes_are_counted_and_kept_apart(void **state)
{
	cleanup_scene struct scene scene = { 0 };

	(void)state;
	scene_begin(&scene);
	for (int process = 0; process < 2; process++) {
		say_head(&scene, "Intel AVX2");
		for (unsigned i = 1; i <= 20; i++)
			say_matmul(&scene, "create:cache_miss", i, 1);
	}
	scene_end(&scene, NULL);
	assert_int_equal(scene.profile->streams, 2);
	assert_int_equal(scene.profile->distinct, 20);
	assert_int_equal(scene.advice.sizing.recommended, 0);
	assert_true(scene.advice.sizing.agreement == 1);
}

/* oneDNN does not print the convolution that a deconvolution makes for itself: it takes room all the same. */
static void a_deconvolution_takes_two_places(void **state)
{
	cleanup_scene struct scene shown = { 0 }, hidden = { 0 }, own = { 0 };
	struct scene *scenes[] = { &shown, &hidden, &own };

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(scenes); s++) {
		scene_begin(scenes[s]);
		for (unsigned i = 0; i < 300; i++) {
			if (s == 0)
				say(scenes[s],
				    "onednn_verbose,v1,primitive,create_nested:cache_miss,cpu,convolution,jit:avx2,"
				    "backward_data,,,,mb%u,1\n",
				    i % 100);
			say(scenes[s],
			    "onednn_verbose,v1,primitive,create:cache_miss,cpu,deconvolution,%s,forward,,,,mb%u,1\n",
			    s == 2 ? "jit_deconvolution:avx512_core_vnni" : "conv:any+jit:avx2", i % 100);
		}
		scene_end(scenes[s], NULL);
		assert_int_equal(scenes[s]->advice.sizing.working_set, s == 2 ? 100 : 200);
		assert_int_equal(scenes[s]->advice.sizing.creations, 300);
	}
}

/* What one process made another does not find; half a line at the end of one is not the beginning of the next. */
static void a_stream_without_its_beginning_is_a_process_of_its_own(void **state)
{
	cleanup_scene struct scene scene = { .profile = NULL };
	static const char line[] = "onednn_verbose,v1,primitive,create:cache_miss,cpu,convolution,jit:avx2,"
				   "forward_inference,src_f32::blocked:abcd:f0,,,mb1_ic8oc8_ih8oh8,1\n";

	(void)state;
	scene_begin(&scene);
	for (int stream = 0; stream < 3; stream++) {
		say(&scene, "%s%sonednn_verb", line, line);
		onednn_profile_next(scene.profile);
	}
	onednn_profile_next(scene.profile); /* an empty one is none */
	scene_end(&scene, NULL);
	assert_int_equal(scene.profile->streams, 3);
	assert_int_equal(scene.profile->creations, 6);
	assert_int_equal(scene.profile->distinct, 1);
	assert_true(scene.advice.sizing.best_rate > 0.499 && scene.advice.sizing.best_rate < 0.501);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_is_added_up_by_kind_and_implementation),
		cmocka_unit_test(a_thrashing_cache_is_found_and_priced),
		cmocka_unit_test(less_is_said_where_less_is_enough),
		cmocka_unit_test(reorders_and_plain_data_are_found),
		cmocka_unit_test(instructions_that_lie_idle_are_found),
		cmocka_unit_test(what_a_stream_does_not_say_is_null),
		cmocka_unit_test(a_deconvolution_takes_two_places),
		cmocka_unit_test(processes_are_counted_and_kept_apart),
		cmocka_unit_test(a_stream_without_its_beginning_is_a_process_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
