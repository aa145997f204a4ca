/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks oneDNN for primitives of several kinds in a drawn order with reuse, and executes nothing: what the model of its
 * cache is held against. Or, as "onednn_shapes memory KIND COUNT", keeps COUNT of one kind in the cache and tells what
 * each costs.
 *
 * onednn_shapes SEED CREATIONS SHAPES     SHAPES in use at a time; a twentieth of the draws replaces one for good
 */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(call)                                                                \
	do {                                                                       \
		if ((call) != dnnl_success) {                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #call); \
			exit(1);                                                   \
		}                                                                  \
	} while (0)

static dnnl_engine_t engine;

static dnnl_memory_desc_t memory(int count, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
	dnnl_memory_desc_t desc;

	CHECK(dnnl_memory_desc_init_by_tag(&desc, count, dims, dnnl_f32, tag));
	return desc;
}

static void create_pd(dnnl_primitive_desc_t pd)
{
	dnnl_primitive_t primitive;

	CHECK(dnnl_primitive_create(&primitive, pd));
	CHECK(dnnl_primitive_destroy(primitive));
	CHECK(dnnl_primitive_desc_destroy(pd));
}

static void create(const void *desc)
{
	dnnl_primitive_desc_t pd;

	CHECK(dnnl_primitive_desc_create(&pd, desc, NULL, engine, NULL));
	create_pd(pd);
}

static void convolution(int n)
{
	const int size = 8 + n % 97, channels = 8 * (1 + n / 97 % 5), batch = 1 + n / 485;
	const dnnl_memory_desc_t src =
		memory(4, (dnnl_dims_t){ batch, channels, size, size }, n % 3 ? dnnl_format_tag_any : dnnl_nchw);
	const dnnl_memory_desc_t wei = memory(4, (dnnl_dims_t){ 16, channels, 3, 3 }, dnnl_format_tag_any);
	const dnnl_memory_desc_t dst =
		memory(4, (dnnl_dims_t){ batch, 16, size - 2, size - 2 }, n % 3 ? dnnl_format_tag_any : dnnl_nchw);
	dnnl_convolution_desc_t desc;

	CHECK(dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_direct, &src, &wei,
						 NULL, &dst, (dnnl_dims_t){ 1, 1 }, (dnnl_dims_t){ 0, 0 },
						 (dnnl_dims_t){ 0, 0 }));
	create(&desc);
}

static void matmul(int n)
{
	const dnnl_memory_desc_t src = memory(2, (dnnl_dims_t){ 1 + n, 64 }, dnnl_ab);
	const dnnl_memory_desc_t wei = memory(2, (dnnl_dims_t){ 64, 32 }, dnnl_ab);
	const dnnl_memory_desc_t dst = memory(2, (dnnl_dims_t){ 1 + n, 32 }, dnnl_ab);
	dnnl_matmul_desc_t desc;

	CHECK(dnnl_matmul_desc_init(&desc, &src, &wei, NULL, &dst));
	create(&desc);
}

static void inner_product(int n)
{
	const dnnl_memory_desc_t src = memory(2, (dnnl_dims_t){ 1 + n, 128 }, dnnl_format_tag_any);
	const dnnl_memory_desc_t wei = memory(2, (dnnl_dims_t){ 48, 128 }, dnnl_format_tag_any);
	const dnnl_memory_desc_t dst = memory(2, (dnnl_dims_t){ 1 + n, 48 }, dnnl_format_tag_any);
	dnnl_inner_product_desc_t desc;

	CHECK(dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_inference, &src, &wei, NULL, &dst));
	create(&desc);
}

static void eltwise(int n)
{
	const dnnl_memory_desc_t data = memory(2, (dnnl_dims_t){ 16, 1 + n }, dnnl_ab);
	dnnl_eltwise_desc_t desc;

	CHECK(dnnl_eltwise_forward_desc_init(&desc, dnnl_forward_inference, dnnl_eltwise_relu, &data, 0, 0));
	create(&desc);
}

static void reorder(int n)
{
	const dnnl_memory_desc_t from = memory(4, (dnnl_dims_t){ 1, 16, 4 + n % 97, 4 + n / 97 }, dnnl_nchw);
	const dnnl_memory_desc_t to = memory(4, (dnnl_dims_t){ 1, 16, 4 + n % 97, 4 + n / 97 }, dnnl_nChw16c);
	dnnl_primitive_desc_t pd;

	CHECK(dnnl_reorder_primitive_desc_create(&pd, &from, engine, &to, engine, NULL));
	create_pd(pd);
}

static const struct {
	const char *name;
	void (*create)(int n);
} kinds[] = { { "convolution", convolution },
	      { "matmul", matmul },
	      { "inner_product", inner_product },
	      { "eltwise", eltwise },
	      { "reorder", reorder } };
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static long resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (!file || fscanf(file, "%*s %ld", &pages) != 1)
		exit(1);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static int tell_memory(const char *kind, int count)
{
	for (int k = 0; k < KINDS; k++) {
		long before;

		if (strcmp(kinds[k].name, kind) != 0)
			continue;
		for (int n = 0; n < 64; n++) /* what the first ones of a kind set up once */
			kinds[k].create(n);
		before = resident_bytes();
		for (int n = 64; n < 64 + count; n++)
			kinds[k].create(n);
		printf("%s %ld\n", kind, (resident_bytes() - before) / count);
		return 0;
	}
	return 1;
}

/* The same order everywhere: Lehmer's generator. */
static unsigned draw(unsigned *state, unsigned below)
{
	*state = (unsigned)((unsigned long)*state * 48271 % 2147483647);
	return *state % below;
}

int main(int argc, char **argv)
{
	unsigned state, shapes, fresh = 0;
	unsigned *in_use;

	CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
	if (argc == 4 && strcmp(argv[1], "memory") == 0)
		return tell_memory(argv[2], atoi(argv[3]));
	if (argc != 4)
		return 2;
	state = (unsigned)atoi(argv[1]) + 1;
	shapes = (unsigned)atoi(argv[3]);
	in_use = calloc(shapes, sizeof(*in_use));
	for (unsigned i = 0; i < shapes; i++)
		in_use[i] = fresh++;
	for (int i = atoi(argv[2]); i; i--) {
		/* Of two draws the smaller: some shapes are asked for far more often than others. */
		const unsigned a = draw(&state, shapes), b = draw(&state, shapes), which = a < b ? a : b;

		if (!draw(&state, 20))
			in_use[which] = fresh++;
		kinds[in_use[which] % KINDS].create((int)(in_use[which] / KINDS));
	}
	free(in_use);
	return 0;
}
