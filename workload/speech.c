/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions over sounds of ever other lengths, as speech models begin with them (wav2vec 2.0's feature encoder,
 * Baevski et al. 2020, narrowed). Every length is a shape of its own for each layer: what the primitive cache is for.
 */
#include "models.h"

#include <stdlib.h>

enum {
	LAYERS = 5,
	LENGTHS = 240, /* times LAYERS: 1200 primitives, more than oneDNN keeps by itself (1024) */
	EACH_STEP = 24,
	SHORTEST = 1600, /* samples: a tenth of a second */
	APART = 20,
};

struct speech {
	struct weights layers[LAYERS];
	unsigned each_step;
};

static void *make(bool small)
{
	const int width = small ? 8 : 32;
	struct speech *speech = net_zeroed(sizeof(*speech));

	speech->each_step = small ? 1 : EACH_STEP;
	speech->layers[0] = weights_convolution(width, 1, 1, 10, 200);
	for (unsigned i = 1; i < LAYERS; i++)
		speech->layers[i] = weights_convolution(width, width, 1, 3, 200 + 2 * i);
	return speech;
}

static void free_speech(void *state)
{
	struct speech *speech = state;

	for (int i = 0; i < LAYERS; i++)
		weights_free(&speech->layers[i]);
	free(speech);
}

/* Lengths far apart follow each other, so that steps take equally long; after LENGTHS they come again. */
static int length_of(unsigned sound)
{
	return SHORTEST + APART * (int)(sound * 77 % LENGTHS);
}

static struct tensor step(struct net *net, void *state, unsigned step)
{
	struct speech *speech = state;
	struct tensor data = { .data = NULL };

	for (unsigned i = 0; i < speech->each_step; i++) {
		const unsigned sound = step * speech->each_step + i;
		const dnnl_dims_t dims = { 1, 1, 1, length_of(sound) };

		if (data.data)
			tensor_free(&data);
		data = tensor_plain(net, 4, dims);
		tensor_draw(&data, 1 + sound % LENGTHS, 1);
		for (int k = 0; k < LAYERS; k++)
			data = net_convolution(net, &data, &speech->layers[k],
					       (struct window){ { 1, k ? 2 : 5 }, { 0, 0 } }, true);
	}
	return data;
}

const struct model model_speech = { .name = "speech",
				    .about = "five convolutions over 24 sounds a step, of 240 lengths in turn",
				    .steps_least = 30,
				    .make = make,
				    .free = free_speech,
				    .step = step };
