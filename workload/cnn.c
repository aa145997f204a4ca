/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first blocks of ResNet-50 (He et al. 2016, table 1): a 7x7 convolution, a pooling and the three bottlenecks of
 * the first stage, with batch normalizations folded into the convolutions.
 */
#include "models.h"

#include <stdlib.h>

enum { BLOCKS = 3 };

struct bottleneck {
	struct weights reduce, middle, expand;
};

struct cnn {
	int batch, side;
	struct weights stem, shortcut;
	struct bottleneck blocks[BLOCKS];
};

static const struct window same1 = { { 1, 1 }, { 0, 0 } }, same3 = { { 1, 1 }, { 1, 1 } };

static void *make(bool small)
{
	const int width = small ? 8 : 64, wide = 4 * width;
	struct cnn *cnn = net_zeroed(sizeof(*cnn));

	cnn->batch = 2;
	cnn->side = small ? 32 : 224;
	cnn->stem = weights_convolution(width, 3, 7, 7, 10);
	cnn->shortcut = weights_convolution(wide, width, 1, 1, 20);
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct bottleneck *block = &cnn->blocks[i];

		block->reduce = weights_convolution(width, i ? wide : width, 1, 1, 30 + 10 * i);
		block->middle = weights_convolution(width, width, 3, 3, 32 + 10 * i);
		block->expand = weights_convolution(wide, width, 1, 1, 34 + 10 * i);
	}
	return cnn;
}

static void free_cnn(void *state)
{
	struct cnn *cnn = state;

	weights_free(&cnn->stem);
	weights_free(&cnn->shortcut);
	for (int i = 0; i < BLOCKS; i++) {
		weights_free(&cnn->blocks[i].reduce);
		weights_free(&cnn->blocks[i].middle);
		weights_free(&cnn->blocks[i].expand);
	}
	free(cnn);
}

static struct tensor step(struct net *net, void *state, unsigned step)
{
	const dnnl_dims_t dims = { ((struct cnn *)state)->batch, 3, ((struct cnn *)state)->side,
				   ((struct cnn *)state)->side };
	struct cnn *cnn = state;
	struct tensor data = tensor_plain(net, 4, dims);

	tensor_draw(&data, 1 + step, 1);
	data = net_convolution(net, &data, &cnn->stem, (struct window){ { 2, 2 }, { 3, 3 } }, true);
	data = net_max_pool(net, &data, 3, (struct window){ { 2, 2 }, { 1, 1 } });
	for (int i = 0; i < BLOCKS; i++) {
		struct bottleneck *block = &cnn->blocks[i];
		struct tensor inner = net_convolution_keep(net, &data, &block->reduce, same1, true);

		if (i == 0)
			data = net_convolution(net, &data, &cnn->shortcut, same1, false);
		inner = net_convolution(net, &inner, &block->middle, same3, true);
		inner = net_convolution(net, &inner, &block->expand, same1, false);
		data = net_add(net, &inner, &data, true);
	}
	return data;
}

const struct model model_cnn = { .name = "cnn",
				 .about = "the first blocks of ResNet-50, two images a step",
				 .steps_least = 8,
				 .make = make,
				 .free = free_cnn,
				 .step = step };
