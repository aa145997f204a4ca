/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include <math.h>

static size_t count_of(const struct tensor *tensor)
{
	size_t count = 1;

	for (int i = 0; i < tensor->desc.ndims; i++)
		count *= (size_t)tensor->desc.dims[i];
	return count;
}

/* The value of [n][c][y][x]; 0 outside. */
static double at(const struct tensor *tensor, dnnl_dim_t n, dnnl_dim_t c, dnnl_dim_t y, dnnl_dim_t x)
{
	const dnnl_dim_t *dims = tensor->desc.dims;

	if (y < 0 || x < 0 || y >= dims[2] || x >= dims[3])
		return 0;
	return (double)tensor->data[((n * dims[1] + c) * dims[2] + y) * dims[3] + x];
}

static double convolve(const struct tensor *input, const struct weights *weights, struct window window,
		       const dnnl_dims_t place)
{
	const dnnl_dim_t *w = weights->dims;
	double sum = (double)weights->bias[place[1]];

	for (dnnl_dim_t c = 0; c < w[1]; c++) {
		for (dnnl_dim_t y = 0; y < w[2]; y++) {
			for (dnnl_dim_t x = 0; x < w[3]; x++)
				sum += at(input, place[0], c, place[2] * window.stride[0] - window.pad[0] + y,
					  place[3] * window.stride[1] - window.pad[1] + x) *
				       (double)weights->plain[((place[1] * w[1] + c) * w[2] + y) * w[3] + x];
		}
	}
	return sum;
}

/* Each place of a tensor of four axes in turn. */
static bool next_place(const struct tensor *tensor, dnnl_dims_t place)
{
	for (int i = 3; i >= 0; i--) {
		if (++place[i] < tensor->desc.dims[i])
			return true;
		place[i] = 0;
	}
	return false;
}

void reference_convolution(const struct tensor *input, const struct weights *weights, struct window window, bool relu,
			   const struct tensor *output)
{
	dnnl_dims_t place = { 0 };
	size_t i = 0;

	do {
		const double sum = convolve(input, weights, window, place);

		output->data[i++] = (float)(relu && sum < 0 ? 0 : sum);
	} while (next_place(output, place));
}

void reference_max_pool(const struct tensor *input, int kernel, struct window window, const struct tensor *output)
{
	const dnnl_dim_t *in = input->desc.dims;
	dnnl_dims_t place = { 0 };
	size_t i = 0;

	do {
		double most = -INFINITY;

		for (int k = 0; k < kernel * kernel; k++) {
			const dnnl_dim_t y = place[2] * window.stride[0] - window.pad[0] + k / kernel;
			const dnnl_dim_t x = place[3] * window.stride[1] - window.pad[1] + k % kernel;

			if (y >= 0 && x >= 0 && y < in[2] && x < in[3])
				most = fmax(most, at(input, place[0], place[1], y, x));
		}
		output->data[i++] = (float)most;
	} while (next_place(output, place));
}

void reference_add(const struct tensor *a, const struct tensor *b, bool relu, const struct tensor *output)
{
	for (size_t i = 0; i < count_of(output); i++) {
		const float sum = a->data[i] + b->data[i];

		output->data[i] = relu && sum < 0 ? 0 : sum;
	}
}

static double activate(enum activation activation, double x)
{
	switch (activation) {
	case ACT_RELU:
		return x < 0 ? 0 : x;
	case ACT_GELU:
		return 0.5 * x * (1 + erf(x / sqrt(2)));
	default:
		return x;
	}
}

void reference_linear(const struct tensor *input, const struct weights *weights, enum activation activation,
		      const struct tensor *output)
{
	const dnnl_dim_t rows = input->desc.dims[0], in = weights->dims[0], out = weights->dims[1];

	for (dnnl_dim_t r = 0; r < rows; r++) {
		for (dnnl_dim_t o = 0; o < out; o++) {
			double sum = (double)weights->bias[o];

			for (dnnl_dim_t i = 0; i < in; i++)
				sum += (double)input->data[r * in + i] * (double)weights->plain[i * out + o];
			output->data[r * out + o] = (float)activate(activation, sum);
		}
	}
}

void reference_product(const struct tensor *a, const struct tensor *b, bool transposed, float scale,
		       const struct tensor *output)
{
	const dnnl_dim_t batch = output->desc.dims[0], m = output->desc.dims[1], n = output->desc.dims[2];
	const dnnl_dim_t k = a->desc.dims[2];

	for (dnnl_dim_t s = 0; s < batch * m * n; s++) {
		const dnnl_dim_t i = s / (m * n), row = s / n % m, column = s % n;
		double sum = 0;

		for (dnnl_dim_t j = 0; j < k; j++)
			sum += (double)a->data[(i * m + row) * k + j] *
			       (double)b->data[transposed ? (i * n + column) * k + j : (i * k + j) * n + column];
		output->data[s] = (float)(sum * (double)scale);
	}
}

void reference_softmax(const struct tensor *input, const struct tensor *output)
{
	const size_t width = (size_t)input->desc.dims[input->desc.ndims - 1], count = count_of(input);

	for (size_t first = 0; first < count; first += width) {
		double most = -INFINITY, sum = 0;

		for (size_t i = first; i < first + width; i++)
			most = fmax(most, (double)input->data[i]);
		for (size_t i = first; i < first + width; i++)
			sum += exp((double)input->data[i] - most);
		for (size_t i = first; i < first + width; i++)
			output->data[i] = (float)(exp((double)input->data[i] - most) / sum);
	}
}
