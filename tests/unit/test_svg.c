/* SPDX-License-Identifier: Apache-2.0 */
/* The picture: everything once, marked as what it is, legible in any colour vision. */
#include "machine_help.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/narrow.h"
#include "plan/plan.h"
#include "svg/colour.h"
#include "svg/role.h"
#include "svg/svg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const no_environment[] = { NULL };

static struct machine *read_capture(const char *name)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/machines/%s.xml", getenv("FETTLE_TEST_DATA"), name);
	return read_machine(path);
}

static struct plan *make_plan(const struct machine *machine, struct request request)
{
	const struct workload workload = { .request = request, .environment = no_environment };
	struct plan *plan = NULL;
	struct err err = { 0 };

	if (plan_make(machine, &workload, &plan, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

static size_t count_of(const char *text, const char *words)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
		count++;
	return count;
}

/* The part of a picture that holds the machine: without the legend's and key's samples. */
static char *machine_part(const char *picture)
{
	const char *start = strstr(picture, "<g class=\"f-machine\">"), *end;
	char *part;

	assert_non_null(start);
	end = strstr(start, "<g class=\"f-key\">");
	assert_non_null(end);
	if (strstr(start, "<g class=\"f-instances\">") && strstr(start, "<g class=\"f-instances\">") < end)
		end = strstr(start, "<g class=\"f-instances\">");
	part = strndup(start, (size_t)(end - start));
	assert_non_null(part);
	return part;
}

/* WCAG 2.2, "relative luminance". */
static double luminance(unsigned colour)
{
	static const double weights[] = { 0.0722, 0.7152, 0.2126 };
	double sum = 0;

	for (unsigned i = 0; i < 3; i++) {
		const double part = (colour >> (8 * i) & 0xff) / 255.0;

		sum += weights[i] * (part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4));
	}
	return sum;
}

static void assert_legible(unsigned ink, unsigned fill)
{
	const double contrast = (luminance(fill) + 0.05) / (luminance(ink) + 0.05);

	if (contrast < 4.5)
		fail_msg("#%06x on #%06x: contrast %.2f", ink, fill, contrast);
}

static void letters_stand_out_from_every_fill(void **state)
{
	const struct svg_colours *c = &svg_colours;
	const unsigned fills[] = { c->paper, c->allowed, c->package, c->memory, c->l3, c->shared, c->hatch };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fills); i++)
		assert_legible(c->ink, fills[i]);
	assert_legible(c->pale_ink, c->paper);
	assert_legible(c->pale_ink, c->hatch);
	for (size_t i = 0; i < SVG_COLOURS; i++) {
		assert_legible(c->ink, c->instances[i]);
		assert_legible(c->ink, svg_tint(c->instances[i]));
		assert_true(luminance(svg_tint(c->instances[i])) > luminance(c->instances[i]));
	}
}

/* As many cells as CPUs and each number among them, so each once; and the same bytes again. */
static void assert_picture_is_whole(const struct machine *machine, const struct plan *plan)
{
	cleanup_free char *picture = svg_picture(machine, plan), *again = svg_picture(machine, plan), *part = NULL;

	assert_non_null(picture);
	assert_string_equal(picture, again);
	part = machine_part(picture);
	assert_int_equal(count_of(part, "<title>CPU "), machine->pu_count);
	for (size_t i = 0; i < machine->pu_count; i++) {
		char words[32];

		(void)snprintf(words, sizeof(words), "<title>CPU %u: ", machine->pus[i].os);
		assert_non_null(strstr(part, words));
	}
}

static void synthetic_machines_are_drawn_whole(void **state)
{
	(void)state;
	for (size_t i = 0; odd_machines[i]; i++) {
		cleanup_machine struct machine *machine = read_machine(odd_machines[i]);

		assert_picture_is_whole(machine, NULL);
	}
}

static void draw_whole(const char *path)
{
	cleanup_machine struct machine *machine = read_machine(path);
	cleanup_plan struct plan *plan = make_plan(machine, (struct request){ .latency = true });

	assert_picture_is_whole(machine, plan);
}

static void captured_machines_are_drawn_whole(void **state)
{
	(void)state;
	each_captured_machine(draw_whole);
}

static void big_machines_have_the_shape_of_a_page(void **state)
{
	static const unsigned instances[] = { 4, 64, 288 };
	cleanup_machine struct machine *machine = read_machine(odd_machines[3]);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(instances); i++) {
		cleanup_plan struct plan *plan = make_plan(machine, (struct request){ .instances = instances[i] });
		cleanup_free char *picture = svg_picture(machine, plan);
		int width = 0, height = 0;

		assert_non_null(picture);
		assert_int_equal(sscanf(strstr(picture, "viewBox"), "viewBox=\"0 0 %d %d\"", &width, &height), 2);
		if (width * 2 < height || height * 2 < width || width > 2000)
			fail_msg("%u instances: %d x %d", instances[i], width, height);
	}
}

static void odd_nodes_say_what_they_lack(void **state)
{
	cleanup_machine struct machine *machine = read_capture("memory-only-node");
	cleanup_free char *picture = svg_picture(machine, NULL);

	(void)state;
	assert_non_null(picture);
	assert_int_equal(count_of(picture, ">node 4: 16.0 GiB, no CPUs<"), 1);
	assert_int_equal(count_of(picture, ">node 1: no memory<"), 1);
	assert_int_equal(count_of(picture, "class=\"f-em\""), 1);
}

static void what_is_not_allowed_is_marked(void **state)
{
	const struct machine_narrow narrow = { .allowed_pus = "0-2,8", .allowed_nodes = "1" };
	cleanup_machine struct machine *machine = read_capture("two-nodes-smt");
	cleanup_free char *picture = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(machine_narrow(machine, &narrow, &err), 0);
	picture = svg_picture(machine, NULL);
	assert_non_null(picture);
	assert_int_equal(count_of(picture, ": not allowed</title><rect class=\"f-off\""), 12 + 1); /* and in the key */
	assert_int_equal(count_of(picture, ": allowed</title><rect class=\"f-ok\""), 4 + 1);
	assert_int_equal(count_of(picture, ">node 0: 16.0 GiB, not allowed<"), 1);
	assert_int_equal(count_of(picture, ">node 1: 16.0 GiB<"), 1);
}

static void cpus_carry_number_and_colour_of_their_instance(void **state)
{
	cleanup_machine struct machine *machine = read_machine("synthetic:package:2 numa:1 core:20 pu:2");
	cleanup_plan struct plan *plan = make_plan(machine, (struct request){ .instances = 10, .reserve.amount = 1 });
	cleanup_free char *picture = svg_picture(machine, plan), *part = NULL;

	(void)state;
	assert_non_null(picture);
	part = machine_part(picture);
	for (unsigned i = 0; i < 10; i++) {
		char words[64];

		/* 3 compute CPUs and the reserved one, of the same colour; the band only where the colour comes again
		 */
		(void)snprintf(words, sizeof(words), "text-anchor=\"middle\">#%u</text></g>", i);
		assert_int_equal(count_of(part, words), 3);
		(void)snprintf(words, sizeof(words), "text-anchor=\"middle\">(%u)</text></g>", i);
		assert_int_equal(count_of(part, words), 1);
		(void)snprintf(words, sizeof(words), ": instance %u, compute thread 2</title><rect class=\"f-c%u\"", i,
			       i % 8);
		assert_int_equal(count_of(part, words), 1);
		(void)snprintf(words, sizeof(words), "rect class=\"f-t%u\"", i % 8);
		assert_int_equal(count_of(part, words), i % 8 < 2 ? 2 : 1);
	}
	assert_int_equal(count_of(part, "<path class=\"f-b1\""), 2 * 3);
	assert_int_equal(count_of(part, "rect class=\"f-ok\""), 40);
}

static void shared_cpus_belong_to_nobody(void **state)
{
	const struct machine_narrow narrow = { .quota_cpus = "4" };
	cleanup_machine struct machine *machine = read_capture("two-nodes-smt");
	cleanup_plan struct plan *plan = NULL;
	cleanup_free struct svg_pu *pus = NULL;
	struct err err = { 0 };
	size_t roles[SVG_ROLE_COUNT] = { 0 };

	(void)state;
	assert_int_equal(machine_narrow(machine, &narrow, &err), 0);
	plan = make_plan(machine, (struct request){ .instances = 4, .pin = PIN_NONE });
	pus = svg_roles(machine, plan);
	assert_non_null(pus);
	for (size_t i = 0; i < machine->pu_count; i++)
		roles[pus[i].role]++;
	assert_int_equal(roles[SVG_COMPUTE], 4);
	assert_int_equal(roles[SVG_SHARED], 4);
	assert_int_equal(roles[SVG_ALLOWED], 8);
}

static void core_kinds_are_told_without_colour(void **state)
{
	cleanup_machine struct machine *machine = read_capture("hybrid");
	cleanup_free char *picture = svg_picture(machine, NULL), *part = NULL;

	(void)state;
	assert_non_null(picture);
	part = machine_part(picture);
	assert_int_equal(count_of(part, ">E<"), 4);
	assert_int_equal(count_of(part, ">P<"), 2);
	assert_int_equal(count_of(part, "rect class=\"f-ec\""), 4);
	assert_non_null(strstr(picture, ">efficiency core, up to 3400 MHz<"));
}

static void hostile_names_stay_words(void **state)
{
	cleanup_machine struct machine *machine = read_machine("synthetic:pu:2");
	cleanup_free char *picture = NULL;

	(void)state;
	machine->model = strdup("</title><script>\xff\x01&");
	assert_non_null(machine->model);
	picture = svg_picture(machine, NULL);
	assert_non_null(picture);
	assert_null(strstr(picture, "<script>"));
	assert_int_equal(count_of(picture, "&lt;/title&gt;&lt;script&gt;\\xff\\x01&amp;"), 2);
	assert_non_null(strstr(picture, "role=\"img\" aria-labelledby=\"fettle-title fettle-desc\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_stand_out_from_every_fill),
		cmocka_unit_test(synthetic_machines_are_drawn_whole),
		cmocka_unit_test(captured_machines_are_drawn_whole),
		cmocka_unit_test(big_machines_have_the_shape_of_a_page),
		cmocka_unit_test(odd_nodes_say_what_they_lack),
		cmocka_unit_test(what_is_not_allowed_is_marked),
		cmocka_unit_test(cpus_carry_number_and_colour_of_their_instance),
		cmocka_unit_test(shared_cpus_belong_to_nobody),
		cmocka_unit_test(core_kinds_are_told_without_colour),
		cmocka_unit_test(hostile_names_stay_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
