/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include "layers.h"

#include <math.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

const char *const layout_words[LAYOUT_COUNT] = { "plain", "channels-last", "blocked" };

void net_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("fettle-workload: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void net_check(dnnl_status_t status, const char *what)
{
	if (status != dnnl_success)
		net_die("oneDNN: %s: %s", what, dnnl_status2str(status));
}

void net_open(struct net *net)
{
	net_check(dnnl_engine_create(&net->engine, dnnl_cpu, 0), "engine");
	net_check(dnnl_stream_create(&net->stream, net->engine, dnnl_stream_default_flags), "stream");
}

void net_close(struct net *net)
{
	net_check(dnnl_stream_destroy(net->stream), "stream");
	net_check(dnnl_engine_destroy(net->engine), "engine");
}

/* Knuth's MMIX generator; the upper bits. */
float draw_between(struct draw *draw, float low, float high)
{
	draw->state = draw->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return low + (high - low) * (float)(draw->state >> 40) / (float)(1 << 24);
}

static void *take(size_t bytes)
{
	void *block;

	if (posix_memalign(&block, ALIGN, bytes ? bytes : 1) != 0)
		net_die("out of memory");
	return block;
}

void *net_zeroed(size_t bytes)
{
	return memset(take(bytes), 0, bytes);
}

static size_t count_of(int dim_count, const dnnl_dims_t dims)
{
	size_t count = 1;

	for (int i = 0; i < dim_count; i++)
		count *= (size_t)dims[i];
	return count;
}

struct tensor tensor_new(const struct net *net, const dnnl_memory_desc_t *desc)
{
	struct tensor tensor = { .desc = *desc, .data = take(dnnl_memory_desc_get_size(desc)) };

	if (!net->reference)
		net_check(dnnl_memory_create(&tensor.memory, desc, net->engine, tensor.data), "memory");
	return tensor;
}

struct tensor tensor_plain(const struct net *net, int dim_count, const dnnl_dims_t dims)
{
	const dnnl_memory_desc_t desc = net_plain_desc(dim_count, dims, dnnl_f32);

	return tensor_new(net, &desc);
}

static void fill(float *values, size_t count, unsigned number, float scale)
{
	struct draw draw = { number };

	for (size_t i = 0; i < count; i++)
		values[i] = draw_between(&draw, -scale, scale);
}

void tensor_draw(const struct tensor *tensor, unsigned number, float scale)
{
	fill(tensor->data, count_of(tensor->desc.ndims, tensor->desc.dims), number, scale);
}

void tensor_free(struct tensor *tensor)
{
	if (tensor->memory)
		net_check(dnnl_memory_destroy(tensor->memory), "memory");
	free(tensor->data);
	*tensor = (struct tensor){ .data = NULL };
}

float *tensor_values(const struct net *net, const struct tensor *tensor, size_t *ret_count)
{
	const size_t count = count_of(tensor->desc.ndims, tensor->desc.dims);
	float *values = take(count * sizeof(*values));
	const dnnl_memory_desc_t desc = net_plain_desc(tensor->desc.ndims, tensor->desc.dims, dnnl_f32);
	dnnl_memory_t memory;

	*ret_count = count;
	if (net->reference) {
		memcpy(values, tensor->data, count * sizeof(*values));
		return values;
	}
	net_check(dnnl_memory_create(&memory, &desc, net->engine, values), "memory");
	net_reorder(net, tensor->memory, &tensor->desc, memory, &desc);
	net_check(dnnl_memory_destroy(memory), "memory");
	return values;
}

/* So drawn that a layer's results are about as large as its inputs (He et al. 2015). */
static struct weights weights_new(int dim_count, const dnnl_dims_t dims, size_t inputs, size_t outputs, unsigned number)
{
	struct weights weights = { .dim_count = dim_count };
	const size_t count = count_of(dim_count, dims);

	memcpy(weights.dims, dims, sizeof(dnnl_dims_t));
	weights.plain = take(count * sizeof(float));
	weights.bias = take(outputs * sizeof(float));
	fill(weights.plain, count, number, sqrtf(6 / (float)inputs));
	fill(weights.bias, outputs, number + 1, 0.05F);
	return weights;
}

struct weights weights_convolution(int out, int in, int height, int width, unsigned number)
{
	return weights_new(4, (dnnl_dims_t){ out, in, height, width }, (size_t)in * (size_t)(height * width),
			   (size_t)out, number);
}

struct weights weights_linear(int in, int out, unsigned number)
{
	return weights_new(2, (dnnl_dims_t){ in, out }, (size_t)in * 2, (size_t)out, number);
}

static void drop_packed(struct weights *weights)
{
	if (weights->packed)
		net_check(dnnl_memory_destroy(weights->packed), "memory");
	free(weights->packed_data);
	weights->packed = NULL;
	weights->packed_data = NULL;
}

dnnl_memory_t net_packed(const struct net *net, struct weights *weights, const dnnl_memory_desc_t *desc)
{
	const dnnl_memory_desc_t plain = net_plain_desc(weights->dim_count, weights->dims, dnnl_f32);
	dnnl_memory_t from;

	if (weights->packed && dnnl_memory_desc_equal(&weights->packed_desc, desc))
		return weights->packed;
	drop_packed(weights);
	weights->packed_desc = *desc;
	weights->packed_data = take(dnnl_memory_desc_get_size(desc));
	net_check(dnnl_memory_create(&weights->packed, desc, net->engine, weights->packed_data), "memory");
	net_check(dnnl_memory_create(&from, &plain, net->engine, weights->plain), "memory");
	net_reorder(net, from, &plain, weights->packed, desc);
	net_check(dnnl_memory_destroy(from), "memory");
	return weights->packed;
}

void weights_free(struct weights *weights)
{
	drop_packed(weights);
	free(weights->plain);
	free(weights->bias);
	*weights = (struct weights){ .plain = NULL };
}
