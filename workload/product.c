/* SPDX-License-Identifier: Apache-2.0 */
/* One large product of two square matrices: about the most that the machine can compute. */
#include "models.h"

#include <stdlib.h>

enum { SIZE = 2048, SMALL_SIZE = 24 };

struct product {
	int size;
	bool drawn;
	struct tensor a, b;
};

static void *make(bool small)
{
	struct product *product = net_zeroed(sizeof(*product));

	product->size = small ? SMALL_SIZE : SIZE;
	return product;
}

static void free_product(void *state)
{
	struct product *product = state;

	if (product->drawn) {
		tensor_free(&product->a);
		tensor_free(&product->b);
	}
	free(product);
}

static struct tensor step(struct net *net, void *state, unsigned step)
{
	struct product *product = state;
	const dnnl_dims_t dims = { 1, product->size, product->size };

	(void)step;
	if (!product->drawn) {
		product->a = tensor_plain(net, 3, dims);
		product->b = tensor_plain(net, 3, dims);
		tensor_draw(&product->a, 1, 1);
		tensor_draw(&product->b, 2, 1);
		product->drawn = true;
	}
	return net_product(net, &product->a, &product->b, false, 1);
}

const struct model model_product = { .name = "product",
				     .about = "one product of two square matrices of 2048: 17.18 GFLOP a step",
				     .steps_least = 3,
				     .make = make,
				     .free = free_product,
				     .step = step };
