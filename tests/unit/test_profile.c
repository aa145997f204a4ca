/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: what is refused and on which line, and which layer has the last word. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "joint/layers.h"
#include "joint/options.h"
#include "joint/profile.h"
#include "joint/profile_lines.h"
#include "root_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

enum { WORDS = 8 };

static const struct option_table *const tables[] = { &planning_options, &instance_options, &settings_options,
						     &purpose_options, NULL };

/* A command line over the profile `text` (NULL: none), parsed. Returns what layers_parse() does. */
static int parse(const char *text, const char *const *words, struct options *options, struct err *err)
{
	const char *line[WORDS + 2];
	struct option_found found;
	cleanup_free char *path = NULL;
	char *dir = root_make();
	int count = 0, r;

	assert_true(asprintf(&path, "%s/p.json", dir) > 0);
	if (text) {
		root_put(dir, "p.json", text);
		line[count++] = "--profile";
		line[count++] = path;
	}
	for (size_t i = 0; i < WORDS && words[i]; i++)
		line[count++] = words[i];
	r = layers_parse(tables, "plan", count, line, options, &found, err);
	options->request.profile = NULL; /* its text goes with us */
	root_remove(dir);
	return r;
}

/* Options as the words a command line would have, but only those that these tests use. */
static char *shown(const struct options *options)
{
	const struct request *request = &options->request;
	struct text text = TEXT_INIT;

	text_add(&text, "i=%u c=%d t=%u %s %s", request->instances, request->cores_per_instance, request->threads,
		 pin_words[request->pin], memory_policy_words[request->memory]);
	text_add(&text, "%s%s cpus=%s for=%s", request->smt ? " smt" : "", request->throughput ? " throughput" : "",
		 request->cpus ? request->cpus : "-", purpose_words[request->purpose]);
	for (size_t i = 0; i < options->set.count; i++)
		text_add(&text, " +%s", options->set.items[i]);
	for (size_t i = 0; i < options->unset.count; i++)
		text_add(&text, " -%s", options->unset.items[i]);
	for (size_t i = 0; i < options->without.count; i++)
		text_add(&text, " !%s", options->without.items[i]);
	return text_take(&text);
}

static void the_last_word_is_the_command_lines(void **state)
{
	static const struct {
		const char *profile, *words[WORDS], *due;
	} rows[] = {
		{ "{}", { NULL }, "i=0 c=0 t=0 auto auto cpus=- for=any" },
		{ "{\"instances\": 2, \"cores-per-instance\": -1, \"pin\": \"none\", \"smt\": true, \"cpus\": \"0-3\"}",
		  { NULL },
		  "i=2 c=-1 t=0 none auto smt cpus=0-3 for=any" },
		{ "{\"instances\": 2, \"pin\": \"none\"}",
		  { "--instances", "3", "--threads=1" },
		  "i=3 c=0 t=1 none auto cpus=- for=any" },
		{ "{\"smt\": false}", { NULL }, "i=0 c=0 t=0 auto auto cpus=- for=any" },
		{ "{\"set\": {\"A\": \"1\", \"B\": \"2\", \"C\": \"=\"}, \"unset\": [\"D\", \"E\"], \"no\": "
		  "[\"agent\"]}",
		  { "--set", "B=9", "--unset", "A", "--set", "D=4", "--no=pools" },
		  "i=0 c=0 t=0 auto auto cpus=- for=any +C== +B=9 +D=4 -E -A !agent !pools" },
		{ NULL, { "--for", "benchmark" }, "i=0 c=0 t=0 threads bind cpus=- for=benchmark" },
		{ NULL, { "--for", "benchmark", "--pin", "none" }, "i=0 c=0 t=0 none bind cpus=- for=benchmark" },
		{ NULL, { "--for", "inference" }, "i=0 c=0 t=0 auto auto throughput cpus=- for=inference" },
		{ NULL, { "--for", "inference", "--instances", "2" }, "i=2 c=0 t=0 auto auto cpus=- for=inference" },
		{ NULL, { "--for", "training" }, "i=0 c=0 t=0 auto auto cpus=- for=training" },
		{ "{\"for\": \"benchmark\", \"memory\": \"local\"}",
		  { NULL },
		  "i=0 c=0 t=0 threads local cpus=- for=benchmark" },
		{ "{\"for\": \"inference\", \"throughput\": false}",
		  { NULL },
		  "i=0 c=0 t=0 auto auto cpus=- for=inference" },
		{ "{\"for\": \"benchmark\"}", { "--for", "any" }, "i=0 c=0 t=0 auto auto cpus=- for=any" },
		{ "{\"for\": \"benchmark\"}", { "--for", "training" }, "i=0 c=0 t=0 auto auto cpus=- for=training" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_options struct options options = { 0 };
		cleanup_free char *got = NULL;
		struct err err = { 0 };

		if (parse(rows[i].profile, rows[i].words, &options, &err) < 0) {
			print_error("# row %zu: %s\n", i, err.text);
			fail();
		}
		got = shown(&options);
		assert_string_equal(got, rows[i].due);
	}
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
	static const struct {
		const char *profile, *due;
	} rows[] = {
		{ "{\n  \"instances\": 2,\n  \"treads\": 3\n}", "line 3: unknown key 'treads', nearest is 'threads'" },
		{ "{\"onednn-cach\": 3}", "line 1: unknown key 'onednn-cach', nearest is 'onednn-cache'" },
		{ "{\"instance\": 0}", "line 1: unknown key 'instance', nearest is 'instances'" },
		{ "{\"profile\": \"a\"}", "line 1: unknown key 'profile'" },
		{ "{\n\n\"machine\": \"live\"}", "line 3: unknown key 'machine'" },
		{ "{\n\"instances\": 0}", "line 2: option '--instances': '0' is not a count of at least 1" },
		{ "{\n\"instances\": \"2\"}", "line 2: 'instances' is to be a whole number" },
		{ "{\"threads\": 1.5}", "line 1: 'threads' is to be a whole number" },
		{ "{\"instances\": 99999999999}", "line 1: option '--instances'" },
		{ "{\"smt\": 1}", "line 1: 'smt' is to be true or false" },
		{ "{\"cpus\": 3}", "line 1: 'cpus' is to be a text" },
		{ "{\"cpus\": \"\"}", "line 1: option '--cpus': '' is not a list" },
		{ "{\"reserve\": \"x\"}", "line 1: option '--reserve'" },
		{ "{\"slot\": \"\"}", "line 1: option '--slot': the value is empty" },
		{ "{\"pin\": null}", "line 1: 'pin' is to be a text" },
		{ "{\"pin\":\n\"tread\"}", "line 1: option '--pin': 'tread' is none of auto, threads" },
		{ "{\"for\": \"fun\"}", "line 1: option '--for': 'fun' is none of any, inference" },
		{ "{\"schema\": \"fettle.plan/1\"}", "line 1: 'schema' is not 'fettle.profile/1'" },
		{ "{\"set\": []}", "line 1: 'set' is to be an object" },
		{ "{\"set\": {\n\"A\": \"1\",\n\"B\": 2}}", "line 3: 'B' is to be a text" },
		{ "{\"set\": {\n\"A=\": \"1\"}}", "line 2: 'A=': a variable's name" },
		{ "{\"set\": {\n\"\": \"1\"}}", "line 2: --set '=1': the variable's name is empty" },
		{ "{\"set\": {\"FETTLE_PLAN\": \"1\"}}", "line 1: --set 'FETTLE_PLAN=1': fettle itself" },
		{ "{\"unset\": \"A\"}", "line 1: 'unset' is to be an array" },
		{ "{\"unset\": [\n\"A\",\n\"B=\"]}", "line 3: --unset 'B='" },
		{ "{\"no\": [\"agent\",\n\"alocator\"]}", "line 2: --no 'alocator': no such family" },
		{ "{\"no\": [1]}", "line 1: 'no' is to be an array of names" },
		{ "{\n\"smt\": true,\n\"smt\": true}", "line 3: duplicate object key" },
		{ "{\n\"smt\": true,\n}", "line 3: string or '}' expected" },
		{ "[]", "is no JSON object" },
		{ "", "line 1: " },
	};
	static const char *const none[WORDS] = { NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_options struct options options = { 0 };
		struct err err = { 0 };

		assert_int_equal(parse(rows[i].profile, none, &options, &err), -EINVAL);
		if (!strstr(err.text, rows[i].due)) {
			print_error("# row %zu: got  %s\n#       due  %s\n", i, err.text, rows[i].due);
			fail();
		}
	}
}

static void a_profile_is_found_by_name_or_path(void **state)
{
	static const struct {
		const char *name, *due;
	} rows[] = {
		{ "server", "/config/fettle/profiles/server.json" },
		{ "a.b-c_1", "/config/fettle/profiles/a.b-c_1.json" },
		{ "./server", "./server" },
		{ "server.json", "server.json" },
		{ "/x/y", "/x/y" },
		{ ".hidden", NULL },
		{ "a b", NULL },
		{ "-a", NULL },
	};

	(void)state;
	assert_int_equal(setenv("XDG_CONFIG_HOME", "/config", 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *path = NULL;
		struct err err = { 0 };

		assert_int_equal(profile_path(rows[i].name, &path, &err), rows[i].due ? 0 : -EINVAL);
		if (rows[i].due)
			assert_string_equal(path, rows[i].due);
	}
}

static void lines_are_counted_past_texts_that_look_alike(void **state)
{
	static const char text[] = "{\"a\": \"pin\",\n\"b\": {\"pin\": \"{\\\"[\"},\n\"c\": [\"pin\"],\n\"pin\" :\n1}";

	(void)state;
	assert_int_equal(profile_line(text, "pin", NULL), 4);
	assert_int_equal(profile_line(text, "b", "pin"), 2);
	assert_int_equal(profile_line(text, "c", "pin"), 3);
	assert_int_equal(profile_line(text, "c", "other"), 3);
	assert_int_equal(profile_line(text, "none", NULL), 1);
	assert_int_equal(profile_line("{\"a", "a", NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_word_is_the_command_lines),
		cmocka_unit_test(what_is_wrong_is_named_with_its_line),
		cmocka_unit_test(a_profile_is_found_by_name_or_path),
		cmocka_unit_test(lines_are_counted_past_texts_that_look_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
