/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The models: weights, and a step of inference. All are drawn from fixed numbers: the same inputs and weights
 * everywhere.
 */
#pragma once

#include "net.h"

struct model {
	const char *name, *about;
	unsigned steps_least;      /* to see it in its steady state */
	void *(*make)(bool small); /* small: for plain loops to follow */
	void (*free)(void *state);
	/* Step number `step`; the caller hands the result to tensor_free(). */
	struct tensor (*step)(struct net *net, void *state, unsigned step);
};

extern const struct model model_cnn, model_attention, model_speech, model_decay, model_product;
