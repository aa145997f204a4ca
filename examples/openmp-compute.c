/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small convolutional network, run the way a framework without a graph runs one: each layer
 * takes a buffer of its own for its output and gives its input's back. Real work for a
 * machine that is to be tried out: OpenMP threads, vector units, caches, and an allocator that gets
 * blocks of 15 and 30 MB back and is asked for them again.
 *
 * Activations are [image][channel / 16][row][column][channel % 16] with a border of zeros, so that a
 * 3x3 kernel needs no special case at the edge and 16 output channels are one vector.
 */
#include <errno.h>
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LANES = 16,
	BATCH = 24,
	SIDE = 96, /* of an image */
	CHECK_BATCH = 12,
	CHECK_SIDE = 24, /* of an image small enough for the plain reference */
	BLOCKS = 2,      /* residual blocks a stage */
	CHANNELS_IN = 16,
	CHANNELS_1 = 32,
	CHANNELS_2 = 64,
	HIDDEN = 1024,
	CLASSES = 16,
	BAND = 12, /* rows a thread takes at a time */
	MAX_THREADS = 4096,
};

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

#define INLINE static inline __attribute__((always_inline))

struct tensor {
	int images, groups, height, width; /* groups of LANES channels */
	float *data;
};

struct layer {
	int in, out, kernel;
	float *weights;       /* [out / 16][in / 16][kernel][kernel][in % 16][out % 16] */
	float *scale, *shift; /* a batch normalisation's, folded to two numbers a channel */
};

struct network {
	struct layer stem, stage1[BLOCKS * 2], widen, stage2[BLOCKS * 2], hidden1, hidden2, classes;
};

static int cpu_of_thread[MAX_THREADS]; /* where each thread last worked */
static int threads_seen;

static void *take(size_t count)
{
	const size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
	void *p = aligned_alloc(64, bytes);

	if (!p) {
		(void)fprintf(stderr, "openmp-compute: out of memory\n");
		exit(1);
	}
	return p;
}

static size_t row_floats(const struct tensor *t)
{
	return (size_t)(t->width + 2) * LANES;
}

/* The first column (border included) of a row; row -1 is the border. */
static float *row_of(const struct tensor *t, int image, int group, int row)
{
	const size_t rows = (size_t)t->height + 2;

	return t->data +
	       (((size_t)image * (size_t)t->groups + (size_t)group) * rows + (size_t)(row + 1)) * row_floats(t);
}

static struct tensor tensor_new(int images, int channels, int height, int width)
{
	struct tensor t = { images, channels / LANES, height, width, NULL };

	t.data = take((size_t)images * (size_t)t.groups * (size_t)(height + 2) * row_floats(&t));
	return t;
}

static void tensor_free(struct tensor *t)
{
	free(t->data);
	t->data = NULL;
}

/* The zeros around rows `first` to `last` - 1, which the caller has filled or is about to. */
static void zero_border(const struct tensor *t, int image, int group, int first, int last)
{
	const size_t floats = row_floats(t);

	for (int y = first; y < last; y++) {
		float *row = row_of(t, image, group, y);

		memset(row, 0, LANES * sizeof(float));
		memset(row + floats - LANES, 0, LANES * sizeof(float));
	}
	if (first == 0)
		memset(row_of(t, image, group, -1), 0, floats * sizeof(float));
	if (last == t->height)
		memset(row_of(t, image, group, t->height), 0, floats * sizeof(float));
}

/*
 * One row of 16 output channels, `tile` pixels at a time: that many accumulators stay in registers while each
 * weight vector is loaded once for all of them.
 */
INLINE void convolve_row(const struct tensor *in, int image, int y, const struct layer *layer, const float *weights,
			 float *out, int tile)
{
	const int reach = layer->kernel / 2;

	for (int x = 0; x < in->width; x += tile) {
		const lanes *w = (const lanes *)weights;
		lanes sum[12] = { { 0 } };

		for (int group = 0; group < in->groups; group++) {
			for (int tap = 0; tap < layer->kernel * layer->kernel; tap++) {
				const int dy = tap / layer->kernel - reach, dx = tap % layer->kernel - reach;
				const float *p = row_of(in, image, group, y + dy) + (ptrdiff_t)(x + 1 + dx) * LANES;

				for (int c = 0; c < LANES; c++, w++) {
#pragma GCC unroll 12
					for (int i = 0; i < tile; i++)
						sum[i] += *w * p[i * LANES + c];
				}
			}
		}
#pragma GCC unroll 12
		for (int i = 0; i < tile; i++)
			((lanes *)out)[x + 1 + i] = sum[i];
	}
}

typedef void convolve_row_f(const struct tensor *in, int image, int y, const struct layer *layer, const float *weights,
			    float *out);

/* The same code for what the CPU has: the tile is as large as its vector registers hold. */
#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void convolve_row_avx512(const struct tensor *in, int image, int y,
								   const struct layer *layer, const float *weights,
								   float *out)
{
	convolve_row(in, image, y, layer, weights, out, 12);
}

__attribute__((target("avx2,fma"))) static void convolve_row_avx2(const struct tensor *in, int image, int y,
								  const struct layer *layer, const float *weights,
								  float *out)
{
	convolve_row(in, image, y, layer, weights, out, 6);
}
#endif

static void convolve_row_any(const struct tensor *in, int image, int y, const struct layer *layer, const float *weights,
			     float *out)
{
#if defined(__x86_64__)
	convolve_row(in, image, y, layer, weights, out, 2);
#else
	convolve_row(in, image, y, layer, weights, out, 6);
#endif
}

static convolve_row_f *best_convolve_row(const char **ret_name)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f")) {
		*ret_name = "AVX-512";
		return convolve_row_avx512;
	}
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		*ret_name = "AVX2";
		return convolve_row_avx2;
	}
#endif
	*ret_name = "baseline";
	return convolve_row_any;
}

static convolve_row_f *convolve_row_best;

/* A convolution; with a 1x1 kernel over an "image" whose columns are the batch it is a matrix product. */
static struct tensor convolve(const struct tensor *in, const struct layer *layer)
{
	const struct tensor out = tensor_new(in->images, layer->out, in->height, in->width);
	const size_t group_weights = (size_t)layer->in * LANES * (size_t)(layer->kernel * layer->kernel);
	const int bands = (in->height + BAND - 1) / BAND;

#pragma omp parallel
	{
		const int thread = omp_get_thread_num();

		if (thread == 0)
			threads_seen = omp_get_num_threads();
		if (thread < MAX_THREADS)
			cpu_of_thread[thread] = sched_getcpu();
#pragma omp for collapse(3) schedule(static)
		for (int image = 0; image < out.images; image++) {
			for (int group = 0; group < out.groups; group++) {
				for (int band = 0; band < bands; band++) {
					const int first = band * BAND;
					const int last = first + BAND < out.height ? first + BAND : out.height;

					for (int y = first; y < last; y++)
						convolve_row_best(in, image, y, layer,
								  layer->weights + (size_t)group * group_weights,
								  row_of(&out, image, group, y));
					zero_border(&out, image, group, first, last);
				}
			}
		}
	}
	return out;
}

/* scale * in + shift [+ also], negative values cut off if asked: normalisation, sum and ReLU are this. */
static struct tensor elementwise(const struct tensor *in, const struct layer *norm, const struct tensor *also, int relu)
{
	const struct tensor out = tensor_new(in->images, in->groups * LANES, in->height, in->width);

#pragma omp parallel for collapse(2) schedule(static)
	for (int image = 0; image < out.images; image++) {
		for (int group = 0; group < out.groups; group++) {
			const lanes one = (lanes){ 0 } + 1, zero = { 0 };
			const lanes scale = norm ? *(const lanes *)(norm->scale + (ptrdiff_t)group * LANES) : one;
			const lanes shift = norm ? *(const lanes *)(norm->shift + (ptrdiff_t)group * LANES) : zero;

			for (int y = 0; y < out.height; y++) {
				const lanes *a = (const lanes *)row_of(in, image, group, y) + 1;
				const lanes *b = also ? (const lanes *)row_of(also, image, group, y) + 1 : NULL;
				lanes *o = (lanes *)row_of(&out, image, group, y) + 1;

				for (int x = 0; x < out.width; x++) {
					lanes v = a[x] * scale + shift;

					if (b)
						v += b[x];
					o[x] = relu ? (lanes)((v > zero) & (__typeof__(v > zero))v) : v;
				}
			}
			zero_border(&out, image, group, 0, out.height);
		}
	}
	return out;
}

static struct tensor max_pool(const struct tensor *in)
{
	const struct tensor out = tensor_new(in->images, in->groups * LANES, in->height / 2, in->width / 2);

#pragma omp parallel for collapse(2) schedule(static)
	for (int image = 0; image < out.images; image++) {
		for (int group = 0; group < out.groups; group++) {
			for (int y = 0; y < out.height; y++) {
				const float *a = row_of(in, image, group, 2 * y) + LANES;
				const float *b = row_of(in, image, group, 2 * y + 1) + LANES;
				float *o = row_of(&out, image, group, y) + LANES;

				for (int i = 0; i < out.width * LANES; i++) {
					const int k = i / LANES * 2 * LANES + i % LANES;

					o[i] = fmaxf(fmaxf(a[k], a[k + LANES]), fmaxf(b[k], b[k + LANES]));
				}
			}
			zero_border(&out, image, group, 0, out.height);
		}
	}
	return out;
}

/* Each channel's mean: one row whose columns are the images. */
static struct tensor mean_pool(const struct tensor *in)
{
	const struct tensor out = tensor_new(1, in->groups * LANES, 1, in->images);

	memset(out.data, 0, (size_t)out.groups * 3 * row_floats(&out) * sizeof(float));
#pragma omp parallel for collapse(2) schedule(static)
	for (int image = 0; image < in->images; image++) {
		for (int group = 0; group < in->groups; group++) {
			lanes sum = { 0 };

			for (int y = 0; y < in->height; y++) {
				const lanes *a = (const lanes *)row_of(in, image, group, y) + 1;

				for (int x = 0; x < in->width; x++)
					sum += a[x];
			}
			((lanes *)row_of(&out, 0, group, 0))[1 + image] = sum / (float)(in->height * in->width);
		}
	}
	return out;
}

/* `t` becomes `next`; what it was is given back. */
static void become(struct tensor *t, struct tensor next)
{
	tensor_free(t);
	*t = next;
}

static void residual_block(struct tensor *t, const struct layer *layers)
{
	struct tensor inner = convolve(t, &layers[0]);

	become(&inner, elementwise(&inner, &layers[0], NULL, 0));
	become(&inner, elementwise(&inner, NULL, NULL, 1));
	become(&inner, convolve(&inner, &layers[1]));
	become(&inner, elementwise(&inner, &layers[1], NULL, 0));
	become(&inner, elementwise(&inner, NULL, t, 0));
	become(t, elementwise(&inner, NULL, NULL, 1));
	tensor_free(&inner);
}

/* Run the network; `ret_scores` gets CLASSES numbers an image. */
static void forward(const struct network *net, const struct tensor *images, float *ret_scores)
{
	struct tensor t = convolve(images, &net->stem);

	for (int i = 0; i < BLOCKS; i++)
		residual_block(&t, &net->stage1[2L * i]);
	become(&t, max_pool(&t));
	become(&t, convolve(&t, &net->widen));
	for (int i = 0; i < BLOCKS; i++)
		residual_block(&t, &net->stage2[2L * i]);
	become(&t, mean_pool(&t));
	become(&t, convolve(&t, &net->hidden1));
	become(&t, elementwise(&t, NULL, NULL, 1));
	become(&t, convolve(&t, &net->hidden2));
	become(&t, elementwise(&t, NULL, NULL, 1));
	become(&t, convolve(&t, &net->classes));
	memcpy(ret_scores, row_of(&t, 0, 0, 0) + LANES, (size_t)images->images * CLASSES * sizeof(float));
	tensor_free(&t);
}

/* The same network written down plainly, one image, in double precision: what the fast one is held against. */

static const float *weight_of(const struct layer *l, int out, int in, int tap)
{
	const int taps = l->kernel * l->kernel;
	const int index = ((out / LANES * (l->in / LANES) + in / LANES) * taps + tap) * LANES + in % LANES;

	return &l->weights[index * LANES + out % LANES];
}

static void plain_convolve(const struct layer *l, const double *in, double *out, int side)
{
	const int reach = l->kernel / 2;

	for (int o = 0; o < l->out; o++) {
		for (int i = 0; i < side * side; i++) {
			double sum = 0;

			for (int c = 0; c < l->in; c++) {
				for (int tap = 0; tap < l->kernel * l->kernel; tap++) {
					const int y = i / side + tap / l->kernel - reach;
					const int x = i % side + tap % l->kernel - reach;

					if (y >= 0 && y < side && x >= 0 && x < side)
						sum += in[(c * side + y) * side + x] * *weight_of(l, o, c, tap);
				}
			}
			out[o * side * side + i] = sum;
		}
	}
}

static void plain_block(const struct layer *layers, double *t, double *a, double *b, int side)
{
	const int pixels = side * side;

	plain_convolve(&layers[0], t, a, side);
	for (int i = 0; i < layers[0].out * pixels; i++)
		a[i] = fmax(0, a[i] * layers[0].scale[i / pixels] + layers[0].shift[i / pixels]);
	plain_convolve(&layers[1], a, b, side);
	for (int i = 0; i < layers[1].out * pixels; i++)
		t[i] = fmax(0, b[i] * layers[1].scale[i / pixels] + layers[1].shift[i / pixels] + t[i]);
}

static void plain_forward(const struct network *net, const double *image, double *ret_scores)
{
	enum { SMALL = CHECK_SIDE / 2, PIXELS = CHECK_SIDE * CHECK_SIDE, ROOM = CHANNELS_2 * PIXELS };
	static double t[ROOM], a[ROOM], b[ROOM], h1[HIDDEN], h2[HIDDEN];

	plain_convolve(&net->stem, image, t, CHECK_SIDE);
	for (int i = 0; i < BLOCKS; i++)
		plain_block(&net->stage1[2L * i], t, a, b, CHECK_SIDE);
	for (int i = 0; i < CHANNELS_1 * SMALL * SMALL; i++) {
		const int y = i / SMALL % SMALL * 2, x = i % SMALL * 2;
		const double *p = &t[(i / SMALL / SMALL * CHECK_SIDE + y) * CHECK_SIDE + x];

		a[i] = fmax(fmax(p[0], p[1]), fmax(p[CHECK_SIDE], p[CHECK_SIDE + 1]));
	}
	plain_convolve(&net->widen, a, t, SMALL);
	for (int i = 0; i < BLOCKS; i++)
		plain_block(&net->stage2[2L * i], t, a, b, SMALL);
	for (int c = 0; c < CHANNELS_2; c++) {
		a[c] = 0;
		for (int i = 0; i < SMALL * SMALL; i++)
			a[c] += t[c * SMALL * SMALL + i] / (SMALL * SMALL);
	}
	plain_convolve(&net->hidden1, a, h1, 1);
	for (int i = 0; i < HIDDEN; i++)
		h1[i] = fmax(0, h1[i]);
	plain_convolve(&net->hidden2, h1, h2, 1);
	for (int i = 0; i < HIDDEN; i++)
		h2[i] = fmax(0, h2[i]);
	plain_convolve(&net->classes, h2, ret_scores, 1);
}

/* Weights and images: the same numbers on every machine. */

static uint64_t random_state = 42;

static float random_unit(void) /* -1 to 1 */
{
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return (float)(int32_t)(random_state >> 32) / 2147483648.0F;
}

static void layer_init(struct layer *l, int in, int out, int kernel)
{
	const int fan_in = in * kernel * kernel;

	*l = (struct layer){ .in = in, .out = out, .kernel = kernel };
	l->weights = take((size_t)fan_in * (size_t)out);
	l->scale = take((size_t)out);
	l->shift = take((size_t)out);
	for (int i = 0; i < fan_in * out; i++)
		l->weights[i] = random_unit() * sqrtf(3.0F / (float)fan_in);
	for (int i = 0; i < out; i++) {
		l->scale[i] = 0.8F + 0.2F * random_unit();
		l->shift[i] = 0.1F * random_unit();
	}
}

static void network_init(struct network *net)
{
	layer_init(&net->stem, CHANNELS_IN, CHANNELS_1, 3);
	layer_init(&net->widen, CHANNELS_1, CHANNELS_2, 3);
	for (int i = 0; i < BLOCKS * 2; i++) {
		layer_init(&net->stage1[i], CHANNELS_1, CHANNELS_1, 3);
		layer_init(&net->stage2[i], CHANNELS_2, CHANNELS_2, 3);
	}
	layer_init(&net->hidden1, CHANNELS_2, HIDDEN, 1);
	layer_init(&net->hidden2, HIDDEN, HIDDEN, 1);
	layer_init(&net->classes, HIDDEN, CLASSES, 1);
}

static struct tensor make_images(int count, int side)
{
	const struct tensor t = tensor_new(count, CHANNELS_IN, side, side);

	memset(t.data, 0, (size_t)count * (size_t)(side + 2) * row_floats(&t) * sizeof(float));
	for (int image = 0; image < count; image++) {
		for (int y = 0; y < side; y++) {
			float *row = row_of(&t, image, 0, y) + LANES;

			for (int i = 0; i < side * LANES; i++)
				row[i] = random_unit();
		}
	}
	return t;
}

/* The largest difference between the fast network and the plain one, as a share of the largest score. */
static double largest_error(const struct network *net)
{
	struct tensor images = make_images(CHECK_BATCH, CHECK_SIDE);
	const int last = CHECK_BATCH - 1;
	static double image[CHANNELS_IN * CHECK_SIDE * CHECK_SIDE];
	float scores[CHECK_BATCH * CLASSES];
	double expected[CLASSES], error = 0, largest = 0;

	for (int i = 0; i < CHANNELS_IN * CHECK_SIDE * CHECK_SIDE; i++) {
		const int pixel = i % (CHECK_SIDE * CHECK_SIDE), c = i / (CHECK_SIDE * CHECK_SIDE);

		image[i] = row_of(&images, last, 0, pixel / CHECK_SIDE)[(pixel % CHECK_SIDE + 1) * LANES + c];
	}
	forward(net, &images, scores);
	plain_forward(net, image, expected);
	for (int i = 0; i < CLASSES; i++) {
		error = fmax(error, fabs(scores[last * CLASSES + i] - expected[i]));
		largest = fmax(largest, fabs(expected[i]));
	}
	tensor_free(&images);
	return error / largest;
}

static double seconds_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Run batches for about `seconds` after one to warm up. Returns their number, or -1 when two batches differ. */
static int run(const struct network *net, double seconds, double *ret_seconds, double *ret_checksum)
{
	struct tensor images = make_images(BATCH, SIDE);
	float first[BATCH * CLASSES], scores[BATCH * CLASSES];
	double begin, sum = 0;
	int batches = 0;

	forward(net, &images, first);
	begin = seconds_now();
	do {
		forward(net, &images, scores);
		batches++;
		for (int i = 0; i < BATCH * CLASSES; i++) {
			if (first[i] != scores[i])
				batches = -1;
		}
		*ret_seconds = seconds_now() - begin;
	} while (batches > 0 && *ret_seconds < seconds);
	for (int i = 0; i < BATCH * CLASSES; i++)
		sum += first[i];
	*ret_checksum = sum;
	tensor_free(&images);
	return batches;
}

static void print_threads(const char *vectors)
{
	printf("%d %s on CPU", threads_seen, threads_seen == 1 ? "thread" : "threads");
	for (int i = 0; i < threads_seen && i < MAX_THREADS; i++)
		printf("%s%d", i ? "," : " ", cpu_of_thread[i]);
	printf(", %s vectors\n", vectors);
}

static const char usage[] = "Usage: openmp-compute [--seconds <number>]\n\n"
			    "Runs a small convolutional network with OpenMP and prints how fast.\n\n"
			    "  --seconds <number>  how long to compute, 0.1 to 3600 (default 3)\n"
			    "  -h, --help          this text\n";

/* The seconds to run; 0: help was asked for; -1: wrong. */
static double parse(int argc, char **argv)
{
	double seconds = 3;

	for (int i = 1; i < argc; i++) {
		char *end = NULL;

		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return 0;
		if (strcmp(argv[i], "--seconds") != 0 || i + 1 == argc)
			return -1;
		i++;
		seconds = strtod(argv[i], &end);
		if (end == argv[i] || *end || !(seconds >= 0.1 && seconds <= 3600))
			return -1;
	}
	return seconds;
}

int main(int argc, char **argv)
{
	const double wanted = parse(argc, argv);
	static struct network net;
	const char *vectors;
	double error, seconds, checksum;
	int batches;

	if (wanted <= 0) {
		(void)fputs(usage, wanted < 0 ? stderr : stdout);
		return wanted < 0 ? 2 : 0;
	}
	convolve_row_best = best_convolve_row(&vectors);
	network_init(&net);
	error = largest_error(&net);
	if (!(error < 1e-4)) {
		(void)fprintf(stderr, "openmp-compute: wrong result: off the reference by %.1e\n", error);
		return 1;
	}
	batches = run(&net, wanted, &seconds, &checksum);
	if (batches < 0) {
		(void)fprintf(stderr, "openmp-compute: wrong result: two equal batches gave different scores\n");
		return 1;
	}
	print_threads(vectors);
	printf("%d images in %.2f s, checksum %.3f, off the reference by %.0e\n", batches * BATCH, seconds, checksum,
	       error);
	printf("%.1f images/s\n", batches * BATCH / seconds);
	return fflush(stdout) == 0 ? 0 : 1;
}
