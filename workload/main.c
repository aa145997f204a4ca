/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fettle-workload: real work for a machine that is to be tried out. Runs a model by oneDNN and prints how long each
 * step took; 'fettle prove' and 'fettle run --demo' start it. Takes its settings from the environment as any program
 * does.
 */
#include "models.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEPS_MAX = 100000 };

static const struct model *const models[] = { &model_cnn, &model_attention, &model_speech, &model_decay,
					      &model_product };
enum { MODELS = sizeof(models) / sizeof(models[0]) };

struct orders {
	const struct model *model;
	double seconds;
	unsigned steps; /* 0: by time */
	bool check, quiet;
};

static double now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The mean of the absolute values: the same for any layout, and not 0 in any model. */
static double mean_of(const struct net *net, const struct tensor *tensor)
{
	double sum = 0;
	size_t count;
	float *values = tensor_values(net, tensor, &count);

	for (size_t i = 0; i < count; i++)
		sum += fabs((double)values[i]);
	free(values);
	return sum / (double)count;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct net *net, const struct orders *orders)
{
	const struct model *model = orders->model;
	const unsigned least = orders->steps ? orders->steps : model->steps_least;
	void *state = model->make(false);
	double *ms = calloc(STEPS_MAX, sizeof(*ms));
	const double begin = now_s();
	double checksum = 0;
	unsigned step = 0;

	if (!ms)
		net_die("out of memory");
	while (step < STEPS_MAX && (step < least || (!orders->steps && now_s() - begin < orders->seconds))) {
		const double before = now_s();
		struct tensor result = model->step(net, state, step);

		ms[step] = 1e3 * (now_s() - before);
		if (step == 0)
			checksum = mean_of(net, &result);
		tensor_free(&result);
		if (!orders->quiet) {
			printf("step %u: %.4f ms\n", step, ms[step]);
			(void)fflush(stdout);
		}
		step++;
	}
	qsort(ms, step, sizeof(*ms), compare);
	printf("%s: %u steps, median %.4f ms, checksum %.7g\n", model->name, step, ms[step / 2], checksum);
	free(ms);
	model->free(state);
}

/* The largest difference over the largest value. */
static double difference(const float *a, const float *b, size_t count)
{
	double most = 0, apart = 0;

	for (size_t i = 0; i < count; i++) {
		most = fmax(most, fabs((double)b[i]));
		apart = fmax(apart, fabs((double)a[i] - (double)b[i]));
	}
	return most > 0 ? apart / most : INFINITY;
}

/* A small one, against plain loops. */
static bool holds(struct net *net, const struct model *model)
{
	const double tolerance = net->bf16 ? 3e-2 : 1e-4;
	struct net plain = *net;
	void *state = model->make(true);
	bool good = true;

	plain.reference = true;
	for (unsigned step = 0; step < 3; step++) {
		struct tensor fast = model->step(net, state, step), slow = model->step(&plain, state, step);
		size_t count, slow_count;
		float *a = tensor_values(net, &fast, &count), *b = tensor_values(&plain, &slow, &slow_count);
		const double apart = count == slow_count ? difference(a, b, count) : INFINITY;

		good &= apart < tolerance;
		printf("%s, step %u, %s%s: %zu values, largest difference %.2g of the largest value%s\n", model->name,
		       step, layout_words[net->layout], net->bf16 ? ", bf16" : "", count, apart,
		       apart < tolerance ? "" : ": TOO MUCH");
		free(a);
		free(b);
		tensor_free(&fast);
		tensor_free(&slow);
	}
	model->free(state);
	return good;
}

static _Noreturn void usage(int code)
{
	FILE *out = code ? stderr : stdout;

	(void)fputs("usage: fettle-workload [--layout plain|channels-last|blocked] [--bf16] [--seconds S | --steps N]\n"
		    "                       [--check] [--quiet] [cnn|attention|speech|decay|product]\n\n",
		    out);
	for (size_t i = 0; i < MODELS; i++)
		(void)fprintf(out, "  %-10s %s\n", models[i]->name, models[i]->about);
	(void)fputs("\nPrints the time of each step. --check: compares a small one with plain loops.\n", out);
	exit(code);
}

static double number_of(const char *text, double most)
{
	char *end;
	const double number = strtod(text, &end);

	if (end == text || *end || !(number > 0) || number > most)
		usage(2);
	return number;
}

static enum layout layout_of(const char *word)
{
	for (unsigned i = 0; i < LAYOUT_COUNT; i++) {
		if (strcmp(word, layout_words[i]) == 0)
			return (enum layout)i;
	}
	usage(2);
}

static const struct model *model_of(const char *word)
{
	for (size_t i = 0; i < MODELS; i++) {
		if (strcmp(word, models[i]->name) == 0)
			return models[i];
	}
	usage(2);
}

static struct orders read_orders(int argc, char **argv, struct net *net)
{
	static const struct option options[] = {
		{ "layout", required_argument, NULL, 'l' },  { "bf16", no_argument, NULL, 'b' },
		{ "seconds", required_argument, NULL, 's' }, { "steps", required_argument, NULL, 'n' },
		{ "check", no_argument, NULL, 'c' },         { "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
	};
	struct orders orders = { .model = &model_cnn, .seconds = 0.5 };
	int option;

	while ((option = getopt_long(argc, argv, "hq", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			net->layout = layout_of(optarg);
			break;
		case 'b':
			net->bf16 = true;
			break;
		case 's':
			orders.seconds = number_of(optarg, 3600);
			break;
		case 'n':
			orders.steps = (unsigned)number_of(optarg, STEPS_MAX);
			break;
		case 'c':
			orders.check = true;
			break;
		case 'q':
			orders.quiet = true;
			break;
		default:
			usage(option == 'h' ? 0 : 2);
		}
	}
	if (argc - optind > 1)
		usage(2);
	if (optind < argc)
		orders.model = model_of(argv[optind]);
	return orders;
}

int main(int argc, char **argv)
{
	struct net net = { .layout = LAYOUT_PLAIN };
	const struct orders orders = read_orders(argc, argv, &net);
	bool good = true;

	net_open(&net);
	if (orders.check)
		good = holds(&net, orders.model);
	else
		measure(&net, &orders);
	net_close(&net);
	return good && fflush(stdout) == 0 ? 0 : 1;
}
