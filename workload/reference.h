/* SPDX-License-Identifier: Apache-2.0 */
/* The layers as plain loops over plain data. */
#pragma once

#include "net.h"

void reference_convolution(const struct tensor *input, const struct weights *weights, struct window window, bool relu,
			   const struct tensor *output);
void reference_max_pool(const struct tensor *input, int kernel, struct window window, const struct tensor *output);
void reference_add(const struct tensor *a, const struct tensor *b, bool relu, const struct tensor *output);
void reference_linear(const struct tensor *input, const struct weights *weights, enum activation activation,
		      const struct tensor *output);
void reference_product(const struct tensor *a, const struct tensor *b, bool transposed, float scale,
		       const struct tensor *output);
void reference_softmax(const struct tensor *input, const struct tensor *output);
