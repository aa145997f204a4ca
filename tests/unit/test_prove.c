/* SPDX-License-Identifier: Apache-2.0 */
/* The judge of 'fettle prove', its statistics and its schedule. */
#include "base/cleanup.h"
#include "prove/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_near(double a, double b, double apart)
{
	if (!(fabs(a - b) <= apart))
		fail_msg("%.12g and %.12g are more than %g apart", a, b, apart);
}

static void a_median_is_in_the_middle(void **state)
{
	(void)state;
	assert_near(prove_median((const double[]){ 3, 1, 2 }, 3), 2, 0);
	assert_near(prove_median((const double[]){ 4, 1, 2, 3 }, 4), 2.5, 0);
	assert_near(prove_median((const double[]){ 7 }, 1), 7, 0);
	assert_true(isnan(prove_median(NULL, 0)));
}

/* Against what is counted by going through every pattern of signs. */
static double by_all_patterns(const double *numbers, size_t count)
{
	double ranks[16], seen = 0;
	unsigned long below = 0, above = 0;

	for (size_t i = 0; i < count; i++) {
		double less = 0, same = 0;

		for (size_t k = 0; k < count; k++) {
			less += fabs(numbers[k]) < fabs(numbers[i]);
			same += fabs(numbers[k]) == fabs(numbers[i]);
		}
		ranks[i] = less + (same + 1) / 2;
		seen += numbers[i] > 0 ? ranks[i] : 0;
	}
	for (unsigned long pattern = 0; pattern < 1UL << count; pattern++) {
		double sum = 0;

		for (size_t i = 0; i < count; i++)
			sum += pattern >> i & 1 ? ranks[i] : 0;
		below += sum <= seen;
		above += sum >= seen;
	}
	return fmin(1, 2 * (double)(below < above ? below : above) / (double)(1UL << count));
}

static void the_signed_rank_test_is_exact(void **state)
{
	struct prove_random random = { 3 };
	double numbers[12];

	(void)state;
	for (int round = 0; round < 60; round++) {
		const size_t count = 1 + prove_draw_below(&random, 12);

		for (size_t i = 0; i < count; i++) {
			/* Small whole numbers: many share a rank. */
			numbers[i] = (double)prove_draw_below(&random, round % 2 ? 5 : 1000) + 1;
			numbers[i] *= prove_draw_below(&random, 3) ? 1 : -1;
		}
		assert_near(prove_signed_rank(numbers, count), by_all_patterns(numbers, count), 1e-12);
	}
	assert_near(prove_signed_rank((const double[]){ 1, 2, 3, 4, 5, 6, 7, 8 }, 8), 2.0 / 256, 1e-15);
	assert_near(prove_signed_rank((const double[]){ 0, 0, 1, 2, 3 }, 5), 2.0 / 8, 1e-15); /* zeros say nothing */
	assert_near(prove_signed_rank((const double[]){ 0, 0 }, 2), 1, 0);
}

/* Normal, by Box and Muller. */
static double normal(struct prove_random *random)
{
	const double u = ((double)(prove_draw(random) >> 11) + 0.5) / 9007199254740992.0;
	const double v = ((double)(prove_draw(random) >> 11) + 0.5) / 9007199254740992.0;

	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static void the_interval_holds_the_median_as_often_as_it_says(void **state)
{
	struct prove_random random = { 11 };
	unsigned held[2] = { 0, 0 };
	double numbers[24];

	(void)state;
	for (int round = 0; round < 1000; round++) {
		for (int size = 0; size < 2; size++) {
			const size_t count = size ? 24 : 8;
			struct prove_interval interval;

			for (size_t i = 0; i < count; i++)
				numbers[i] = 5 + normal(&random);
			interval = prove_bootstrap(numbers, count, (uint64_t)round);
			assert_true(interval.low <= prove_median(numbers, count));
			assert_true(interval.high >= prove_median(numbers, count));
			held[size] += interval.low <= 5 && 5 <= interval.high;
		}
	}
	assert_in_range(held[0], 920, 980);
	assert_in_range(held[1], 930, 975);
}

static void warm_up_is_left_out(void **state)
{
	(void)state;
	assert_int_equal(prove_steady((const double[]){ 9, 5, 2, 2, 2, 2, 2, 2 }, 8), 2);
	assert_int_equal(prove_steady((const double[]){ 2, 2, 2, 2 }, 4), 0);
	assert_int_equal(prove_steady((const double[]){ 8, 7, 6, 5, 1, 1 }, 6), 3); /* half is left, whatever comes */
	assert_int_equal(prove_steady((const double[]){ 4 }, 1), 0);
	assert_int_equal(prove_steady(NULL, 0), 0);
}

static void the_looks_share_one_level(void **state)
{
	double sum = 0, level;
	size_t looks = 0;

	(void)state;
	for (size_t blocks = 0; blocks <= PROVE_BLOCKS_MAX; blocks++) {
		if (prove_look_at(blocks, &level)) {
			looks++;
			sum += level;
			/* With this many blocks the test can get there at all. */
			assert_true(level >= 2 / pow(2, (double)blocks));
		}
	}
	assert_true(looks > 4 && prove_look_at(PROVE_BLOCKS_MAX, &level));
	assert_near(sum, PROVE_LEVEL, 1e-12);
}

static struct prove_judgement judge(const double *advice, const double *nothing, size_t count)
{
	struct prove_judgement judgement;

	prove_judge(advice, nothing, count, 1, &judgement);
	return judgement;
}

static void plain_cases_are_judged_plainly(void **state)
{
	double fast[64], slow[64], same[64], wide[64], little[64], nothing[64];
	struct prove_random random = { 5 };
	struct prove_judgement judgement;

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		fast[i] = log(1.37) + 0.02 * normal(&random);
		slow[i] = -fast[i];
		same[i] = 0.005 * normal(&random);
		little[i] = 0.008 + 0.001 * normal(&random);
		wide[i] = 0.5 * normal(&random);
		nothing[i] = 0.005 * normal(&random);
	}
	judgement = judge(fast, nothing, 8);
	assert_int_equal(judgement.verdict, PROVE_WORTH_IT);
	assert_near(judgement.ratio, 1.37, 0.03);
	assert_true(judgement.low < judgement.ratio && judgement.ratio < judgement.high && judgement.low > 1.3);
	assert_int_equal(judge(slow, nothing, 8).verdict, PROVE_HARMFUL);
	assert_near(judge(slow, nothing, 8).ratio, 1 / judgement.ratio, 1e-9);
	assert_int_equal(judge(same, nothing, 8).verdict, PROVE_NO_DIFFERENCE);
	assert_int_equal(judge(wide, nothing, 8).verdict, PROVE_UNDECIDED);
	/* It is there, but too small to be worth a word. */
	assert_int_equal(judge(little, nothing, 64).verdict, PROVE_NO_DIFFERENCE);
	assert_true(judge(little, nothing, 64).chance < 1e-6);
	/* Between two looks nothing is decided, and what two runs of the same come to is no effect. */
	assert_int_equal(judge(fast, nothing, 9).verdict, PROVE_UNDECIDED);
	for (size_t i = 0; i < 64; i++)
		nothing[i] = 1.1 * slow[i];
	assert_int_equal(judge(fast, nothing, 8).verdict, PROVE_UNDECIDED);
}

/* What a machine's noise may be like. */
typedef double noise(struct prove_random *random, unsigned run);

static double quiet(struct prove_random *random, unsigned run)
{
	(void)run;
	return exp(0.003 * normal(random));
}

static double loud(struct prove_random *random, unsigned run)
{
	(void)run;
	return exp(0.15 * normal(random));
}

/* Mostly even, now and then much longer. */
static double outliers(struct prove_random *random, unsigned run)
{
	(void)run;
	return exp(0.01 * normal(random)) * (prove_draw_below(random, 8) ? 1 : 1 + 3 * fabs(normal(random)));
}

/* Two speeds, a few runs each: as where the allocator does it one way or the other. */
static double bimodal(struct prove_random *random, unsigned run)
{
	(void)run;
	return (prove_draw_below(random, 3) ? 1 : 1.8) * exp(0.02 * normal(random));
}

/* A clock that drops slowly, and a neighbour who comes and goes. */
static double drifting(struct prove_random *random, unsigned run)
{
	return (1 + 0.004 * run) * (run / 23 % 2 ? 1.25 : 1) * exp(0.02 * normal(random));
}

/* Times of real processes in the order in which they ran; each experiment begins somewhere in them. */
struct record {
	double times[240];
	size_t count, begin;
};
static struct record of_attention, of_cnn;

static void read_record(const char *name, struct record *record)
{
	char path[4096], line[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/prove/%s.txt", getenv("FETTLE_TEST_DATA"), name);
	file = fopen(path, "re");
	assert_non_null(file);
	while (record->count < ARRAY_SIZE(record->times) && fgets(line, sizeof(line), file)) {
		if (line[0] != '#')
			record->times[record->count++] = strtod(line, NULL);
	}
	(void)fclose(file);
	assert_int_equal(record->count, ARRAY_SIZE(record->times));
}

static double recorded(struct record *record, struct prove_random *random, unsigned run)
{
	if (!record->count)
		read_record(record == &of_cnn ? "cnn" : "attention", record);
	if (run == 0)
		record->begin = prove_draw_below(random, record->count);
	return record->times[(record->begin + run) % ARRAY_SIZE(record->times)];
}

static double attention(struct prove_random *random, unsigned run)
{
	return recorded(&of_attention, random, run);
}

static double cnn(struct prove_random *random, unsigned run)
{
	return recorded(&of_cnn, random, run);
}

static const struct {
	const char *name;
	noise *of;
} noises[] = { { "quiet", quiet },     { "loud", loud },         { "outliers", outliers },
	       { "bimodal", bimodal }, { "drifting", drifting }, { "recorded attention", attention },
	       { "recorded cnn", cnn } };

/* An experiment on a machine of such noise, with a candidate that takes `factor` times as long. */
static struct prove_judgement experiment(noise *of, double factor, struct prove_random *random)
{
	struct prove_trial trial = { .open = true };
	struct prove_trial *trials[] = { &trial };
	struct prove_group group = { .trials = trials, .count = 1 };
	struct prove_run runs[3];
	unsigned run = 0;
	size_t count;

	while ((count = prove_block_draw(&group, random, runs)) > 0) {
		for (size_t i = 0; i < count; i++) {
			runs[i].counts = true;
			runs[i].time = of(random, run++) * (runs[i].arm == PROVE_CANDIDATES ? factor : 1);
		}
		assert_int_equal(prove_block_take(&group, runs, count), 0);
	}
	prove_trial_clear(&trial);
	return trial.judgement;
}

static bool is_difference(const struct prove_judgement *judgement)
{
	return judgement->verdict == PROVE_WORTH_IT || judgement->verdict == PROVE_HARMFUL;
}

static void nothing_against_nothing_rarely_differs(void **state)
{
	enum { EXPERIMENTS = 200 };

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(noises); n++) {
		struct prove_random random = { 100 + n };
		unsigned alarms = 0;

		for (int i = 0; i < EXPERIMENTS; i++) {
			const struct prove_judgement judgement = experiment(noises[n].of, 1, &random);

			alarms += is_difference(&judgement);
		}
		print_message("%s: %u of %d\n", noises[n].name, alarms, EXPERIMENTS);
		assert_true(alarms * 20 <= EXPERIMENTS);
	}
}

static void what_differs_is_found(void **state)
{
	struct prove_random random = { 7 };
	unsigned found = 0;

	(void)state;
	for (int i = 0; i < 40; i++) {
		const struct prove_judgement half = experiment(quiet, 0.9, &random);
		const struct prove_judgement slower = experiment(outliers, 1.3, &random);

		assert_int_equal(half.verdict, PROVE_WORTH_IT);
		assert_near(half.ratio, 1 / 0.9, 0.02);
		found += slower.verdict == PROVE_HARMFUL;
	}
	assert_true(found >= 38);
}

static void an_order_is_drawn_anew_and_every_arm_is_in_it(void **state)
{
	struct prove_trial trials[3] = { { .open = true }, { .open = false }, { .open = true } };
	struct prove_trial *all[] = { &trials[0], &trials[1], &trials[2] };
	struct prove_group group = { .trials = all, .count = 3 };
	unsigned first[PROVE_CANDIDATES + 3] = { 0 };
	struct prove_random random = { 1 };
	struct prove_run runs[PROVE_CANDIDATES + 3];

	(void)state;
	for (int i = 0; i < 4000; i++) {
		unsigned seen = 0;

		assert_int_equal(prove_block_draw(&group, &random, runs), 4);
		for (size_t k = 0; k < 4; k++)
			seen |= 1U << runs[k].arm;
		assert_int_equal(seen, 0x17); /* not the one that is decided */
		first[runs[0].arm]++;
	}
	for (size_t arm = 0; arm < ARRAY_SIZE(first); arm++)
		assert_in_range(first[arm], arm == 3 ? 0 : 900, arm == 3 ? 0 : 1100);
	trials[0].open = trials[2].open = false;
	assert_int_equal(prove_block_draw(&group, &random, runs), 0);
}

/* Runs in which the plan did not hold. */
static void what_does_not_count_is_no_pair(void **state)
{
	struct prove_trial good = { .open = true }, bad = { .open = true };
	struct prove_trial *all[] = { &good, &bad };
	struct prove_group group = { .trials = all, .count = 2 };
	struct prove_run runs[] = { { .arm = PROVE_BASELINE, .counts = true, .time = 2 },
				    { .arm = PROVE_TWIN, .counts = true, .time = 2 },
				    { .arm = PROVE_CANDIDATES, .counts = true, .time = 1 },
				    { .arm = PROVE_CANDIDATES + 1, .counts = false, .why = "cpu-binding differs" } };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(prove_block_take(&group, runs, 4), 0);
	assert_int_equal(good.blocks, 3);
	assert_near(good.advice[2], log(2), 1e-12);
	assert_near(good.nothing[2], 0, 0);
	assert_false(bad.open);
	assert_int_equal(bad.judgement.verdict, PROVE_NOT_POSSIBLE);
	assert_string_equal(bad.why, "cpu-binding differs");
	/* Without its twin a baseline proves nothing. */
	runs[1].counts = false;
	assert_int_equal(prove_block_take(&group, runs, 4), 0);
	assert_int_equal(good.blocks, 3);
	assert_int_equal(group.lost, 1);
	/* The end comes before it is decided. */
	assert_int_equal(prove_trial_close(&good, true, "the budget ended"), 0);
	assert_int_equal(good.judgement.verdict, PROVE_UNDECIDED);
	assert_string_equal(good.why, "the budget ended");
	prove_trial_clear(&good);
	prove_trial_clear(&bad);
}

static void with_too_little_time_those_that_promise_most_are_kept(void **state)
{
	struct prove_trial trials[] = { { .open = true, .rank = 2 },
					{ .open = true, .rank = 1 },
					{ .open = false, .rank = 9 },
					{ .open = true, .rank = 3 },
					{ .open = true, .rank = 2 } };
	struct prove_trial *all[] = { &trials[0], &trials[1], &trials[2], &trials[3], &trials[4] };
	struct prove_group group = { .trials = all, .count = ARRAY_SIZE(all) };

	(void)state;
	assert_int_equal(prove_group_trim(&group, 4, "too short"), 0);
	assert_null(trials[3].why);
	assert_int_equal(prove_group_trim(&group, 2, "too short"), 0);
	assert_true(trials[0].open && trials[1].open);
	assert_false(trials[3].open || trials[4].open);
	assert_string_equal(trials[4].why, "too short");
	assert_int_equal(trials[3].judgement.verdict, PROVE_UNDECIDED);
	assert_null(trials[2].why); /* decided before */
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++)
		prove_trial_clear(&trials[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_too_little_time_those_that_promise_most_are_kept),
		cmocka_unit_test(a_median_is_in_the_middle),
		cmocka_unit_test(the_signed_rank_test_is_exact),
		cmocka_unit_test(the_interval_holds_the_median_as_often_as_it_says),
		cmocka_unit_test(warm_up_is_left_out),
		cmocka_unit_test(the_looks_share_one_level),
		cmocka_unit_test(plain_cases_are_judged_plainly),
		cmocka_unit_test(nothing_against_nothing_rarely_differs),
		cmocka_unit_test(what_differs_is_found),
		cmocka_unit_test(an_order_is_drawn_anew_and_every_arm_is_in_it),
		cmocka_unit_test(what_does_not_count_is_no_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
