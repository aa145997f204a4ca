/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two layers of a transformer (Vaswani et al. 2017) without its normalizations: attention of several heads and a
 * perceptron. And, of the perceptron alone, one whose inputs are denormal.
 */
#include "models.h"

#include <stdlib.h>
#include <string.h>

enum { LAYERS = 2 };

struct layer {
	struct weights query, key, value, out, widen, narrow;
};

struct attention {
	int batch, tokens, heads, width; /* of all heads together */
	float scale;                     /* of the inputs */
	struct layer layers[LAYERS];
};

static void *make(bool small)
{
	struct attention *a = net_zeroed(sizeof(*a));

	a->batch = small ? 2 : 4;
	a->tokens = small ? 12 : 128;
	a->heads = small ? 2 : 8;
	a->width = small ? 16 : 512;
	a->scale = 1;
	for (unsigned i = 0; i < LAYERS; i++) {
		struct layer *layer = &a->layers[i];

		layer->query = weights_linear(a->width, a->width, 100 + 20 * i);
		layer->key = weights_linear(a->width, a->width, 102 + 20 * i);
		layer->value = weights_linear(a->width, a->width, 104 + 20 * i);
		layer->out = weights_linear(a->width, a->width, 106 + 20 * i);
		layer->widen = weights_linear(a->width, 4 * a->width, 108 + 20 * i);
		layer->narrow = weights_linear(4 * a->width, a->width, 110 + 20 * i);
	}
	return a;
}

static void free_attention(void *state)
{
	struct attention *a = state;

	for (int i = 0; i < LAYERS; i++) {
		struct layer *layer = &a->layers[i];
		struct weights *all[] = { &layer->query, &layer->key,   &layer->value,
					  &layer->out,   &layer->widen, &layer->narrow };

		for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
			weights_free(all[k]);
	}
	free(a);
}

/* [batch * tokens][heads * size] to [batch * heads][tokens][size], or back: a copy, as frameworks make one. */
static struct tensor rearrange(struct net *net, const struct attention *a, struct tensor *input, bool to_heads)
{
	const int size = a->width / a->heads, rows = a->batch * a->tokens;
	const dnnl_dims_t by_head = { (dnnl_dim_t)a->batch * a->heads, a->tokens, size }, by_row = { rows, a->width };
	struct tensor output = to_heads ? tensor_plain(net, 3, by_head) : tensor_plain(net, 2, by_row);

	for (int row = 0; row < rows; row++) {
		for (int head = 0; head < a->heads; head++) {
			float *of_row = (to_heads ? input : &output)->data + (size_t)row * (size_t)a->width +
					(size_t)(head * size);
			float *of_head = (to_heads ? &output : input)->data +
					 ((size_t)(row / a->tokens * a->heads + head) * (size_t)a->tokens +
					  (size_t)(row % a->tokens)) *
						 (size_t)size;

			memcpy(to_heads ? of_head : of_row, to_heads ? of_row : of_head, (size_t)size * sizeof(float));
		}
	}
	tensor_free(input);
	return output;
}

static struct tensor heads_of(struct net *net, const struct attention *a, const struct tensor *input,
			      struct weights *weights)
{
	struct tensor rows = net_linear(net, input, weights, ACT_NONE);

	return rearrange(net, a, &rows, true);
}

static struct tensor attend(struct net *net, const struct attention *a, struct layer *layer, const struct tensor *data)
{
	struct tensor query = heads_of(net, a, data, &layer->query), key = heads_of(net, a, data, &layer->key);
	struct tensor value = heads_of(net, a, data, &layer->value), scores, mixed, output;

	/* The square root of a head's size, 64 (or 8). */
	scores = net_product(net, &query, &key, true, a->width / a->heads == 64 ? 0.125F : 0.35355339F);
	scores = net_softmax(net, &scores);
	mixed = net_product(net, &scores, &value, false, 1);
	tensor_free(&query);
	tensor_free(&key);
	tensor_free(&value);
	tensor_free(&scores);
	mixed = rearrange(net, a, &mixed, false);
	output = net_linear(net, &mixed, &layer->out, ACT_NONE);
	tensor_free(&mixed);
	return output;
}

static struct tensor perceptron(struct net *net, struct layer *layer, const struct tensor *data)
{
	struct tensor wide = net_linear(net, data, &layer->widen, ACT_GELU);
	const struct tensor output = net_linear(net, &wide, &layer->narrow, ACT_NONE);

	tensor_free(&wide);
	return output;
}

static struct tensor input_of(const struct net *net, const struct attention *a, unsigned step)
{
	const struct tensor data = tensor_plain(net, 2, (dnnl_dims_t){ (dnnl_dim_t)a->batch * a->tokens, a->width });

	tensor_draw(&data, 1 + step, a->scale);
	return data;
}

static struct tensor step(struct net *net, void *state, unsigned step)
{
	struct attention *a = state;
	struct tensor data = input_of(net, a, step);

	for (int i = 0; i < LAYERS; i++) {
		struct tensor part = attend(net, a, &a->layers[i], &data);

		data = net_add(net, &part, &data, false);
		part = perceptron(net, &a->layers[i], &data);
		data = net_add(net, &part, &data, false);
	}
	return data;
}

static void *make_decay(bool small)
{
	struct attention *a = make(small);

	/* The smallest normal number is 1.2e-38. */
	a->scale = small ? 1 : 1e-39F;
	for (int i = 0; i < LAYERS; i++) {
		memset(a->layers[i].widen.bias, 0, (size_t)(4 * a->width) * sizeof(float));
		memset(a->layers[i].narrow.bias, 0, (size_t)a->width * sizeof(float));
	}
	return a;
}

static struct tensor step_decay(struct net *net, void *state, unsigned step)
{
	struct attention *a = state;
	struct tensor data = input_of(net, a, step);

	for (int i = 0; i < LAYERS; i++) {
		struct tensor wide = net_linear(net, &data, &a->layers[i].widen, ACT_RELU);

		tensor_free(&data);
		data = net_linear(net, &wide, &a->layers[i].narrow, ACT_NONE);
		tensor_free(&wide);
	}
	return data;
}

const struct model model_attention = { .name = "attention",
				       .about = "two layers of a transformer, 4 sequences of 128 tokens a step",
				       .steps_least = 8,
				       .make = make,
				       .free = free_attention,
				       .step = step };

const struct model model_decay = { .name = "decay",
				   .about = "a perceptron whose values have become denormal",
				   .steps_least = 8,
				   .make = make_decay,
				   .free = free_attention,
				   .step = step_decay };
