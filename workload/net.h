/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few layers that the models are made of, computed by oneDNN as a framework without a graph has it do: each call
 * asks for its primitive anew, takes a block of its own for its result and gives its input's back. Or computed by
 * plain loops, which the other is held against. Failures end the program: it is there to be timed.
 */
#pragma once

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>
#include <stddef.h>

enum layout {
	LAYOUT_PLAIN,         /* NCHW, as frameworks keep data unless told otherwise */
	LAYOUT_CHANNELS_LAST, /* NHWC */
	LAYOUT_BLOCKED,       /* what oneDNN chooses for each layer */
	LAYOUT_COUNT,
};
extern const char *const layout_words[LAYOUT_COUNT];

struct net {
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	enum layout layout;
	bool bf16;      /* products of bf16 values, summed in f32 */
	bool reference; /* plain loops */
};

struct tensor {
	dnnl_memory_desc_t desc;
	dnnl_memory_t memory; /* NULL under plain loops */
	float *data;          /* owned */
};

/* Weights and bias of a layer, drawn from its number; kept as oneDNN wants them after the first call. */
struct weights {
	dnnl_dims_t dims; /* convolution: out, in, height, width; linear: in, out */
	int dim_count;
	float *plain, *bias;
	dnnl_memory_desc_t packed_desc;
	dnnl_memory_t packed;
	void *packed_data;
};

/* The same numbers everywhere. */
struct draw {
	unsigned long long state;
};
float draw_between(struct draw *draw, float low, float high);

void net_open(struct net *net);
void net_close(struct net *net);

/* Zeroed, and there. */
void *net_zeroed(size_t bytes);

_Noreturn void net_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* With the values undefined, or drawn from -scale to scale. The caller hands it to tensor_free(). */
struct tensor tensor_new(const struct net *net, const dnnl_memory_desc_t *desc);
struct tensor tensor_plain(const struct net *net, int dim_count, const dnnl_dims_t dims);
void tensor_draw(const struct tensor *tensor, unsigned number, float scale);
void tensor_free(struct tensor *tensor);

/* Its values in plain order; the caller frees them. */
float *tensor_values(const struct net *net, const struct tensor *tensor, size_t *ret_count);

struct weights weights_convolution(int out, int in, int height, int width, unsigned number);
struct weights weights_linear(int in, int out, unsigned number);
void weights_free(struct weights *weights);

/* The layers. Each gives `*input` back (it must not be used again) unless it says otherwise. */
struct window {
	dnnl_dim_t stride[2], pad[2];
};
struct tensor net_convolution(struct net *net, struct tensor *input, struct weights *weights, struct window window,
			      bool relu);
struct tensor net_convolution_keep(struct net *net, const struct tensor *input, struct weights *weights,
				   struct window window, bool relu); /* keeps the input */
struct tensor net_max_pool(struct net *net, struct tensor *input, int kernel, struct window window);
struct tensor net_add(struct net *net, struct tensor *a, struct tensor *b, bool relu); /* gives both back */

enum activation { ACT_NONE, ACT_RELU, ACT_GELU };
struct tensor net_linear(struct net *net, const struct tensor *input, struct weights *weights,
			 enum activation activation); /* keeps the input */

/* scale * a * b of [batch][m][k] and [batch][k][n], or [batch][n][k] where `transposed`; keeps both. */
struct tensor net_product(struct net *net, const struct tensor *a, const struct tensor *b, bool transposed,
			  float scale);
struct tensor net_softmax(struct net *net, struct tensor *input); /* along the last axis */
