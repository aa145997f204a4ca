/* SPDX-License-Identifier: Apache-2.0 */
/* The layers by oneDNN 2's C interface. */
#include "layers.h"

#include "reference.h"

static const dnnl_format_tag_t plain_tags[] = { dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd };

dnnl_memory_desc_t net_plain_desc(int dim_count, const dnnl_dims_t dims, dnnl_data_type_t type)
{
	dnnl_memory_desc_t desc;

	net_check(dnnl_memory_desc_init_by_tag(&desc, dim_count, dims, type, plain_tags[dim_count]), "description");
	return desc;
}

/* Data of four axes as the layout has them. */
static dnnl_memory_desc_t data_desc(const struct net *net, const dnnl_dims_t dims, dnnl_data_type_t type)
{
	static const dnnl_format_tag_t tags[LAYOUT_COUNT] = { dnnl_nchw, dnnl_nhwc, dnnl_format_tag_any };
	dnnl_memory_desc_t desc;

	net_check(dnnl_memory_desc_init_by_tag(&desc, 4, dims, type, net->reference ? dnnl_nchw : tags[net->layout]),
		  "description");
	return desc;
}

static dnnl_memory_desc_t any_desc(int dim_count, const dnnl_dims_t dims, dnnl_data_type_t type)
{
	dnnl_memory_desc_t desc;

	net_check(dnnl_memory_desc_init_by_tag(&desc, dim_count, dims, type, dnnl_format_tag_any), "description");
	return desc;
}

static dnnl_data_type_t factor_type(const struct net *net)
{
	return net->bf16 ? dnnl_bf16 : dnnl_f32;
}

/* What it is made for, how it is done, and its arguments so far. */
struct call {
	dnnl_primitive_desc_t pd;
	dnnl_exec_arg_t args[6];
	int count;
	struct tensor converted; /* the input as the primitive wants it; none: it is that already */
};

static void add_argument(struct call *call, int which, dnnl_memory_t memory)
{
	call->args[call->count++] = (dnnl_exec_arg_t){ which, memory };
}

/* A primitive is asked for at every call, as frameworks do: oneDNN's cache has it, or makes it. */
static void run(const struct net *net, struct call *call)
{
	dnnl_primitive_t primitive;

	net_check(dnnl_primitive_create(&primitive, call->pd), "primitive");
	net_check(dnnl_primitive_execute(primitive, net->stream, call->count, call->args), "execution");
	net_check(dnnl_stream_wait(net->stream), "stream");
	net_check(dnnl_primitive_destroy(primitive), "primitive");
	net_check(dnnl_primitive_desc_destroy(call->pd), "description");
	tensor_free(&call->converted);
}

void net_reorder(const struct net *net, dnnl_memory_t from, const dnnl_memory_desc_t *from_desc, dnnl_memory_t to,
		 const dnnl_memory_desc_t *to_desc)
{
	struct call call = { .count = 0 };

	net_check(dnnl_reorder_primitive_desc_create(&call.pd, from_desc, net->engine, to_desc, net->engine, NULL),
		  "reorder");
	add_argument(&call, DNNL_ARG_FROM, from);
	add_argument(&call, DNNL_ARG_TO, to);
	run(net, &call);
}

static void describe(const struct net *net, struct call *call, const void *desc, dnnl_primitive_attr_t attr)
{
	net_check(dnnl_primitive_desc_create(&call->pd, desc, attr, net->engine, NULL), "description");
	if (attr)
		net_check(dnnl_primitive_attr_destroy(attr), "attributes");
}

static const dnnl_memory_desc_t *wanted(const struct call *call, dnnl_query_t what)
{
	return dnnl_primitive_desc_query_md(call->pd, what, 0);
}

/* The input in the form that the primitive wants. */
static void add_input(const struct net *net, struct call *call, int which, const struct tensor *input)
{
	const dnnl_memory_desc_t *desc = wanted(call, dnnl_query_src_md);

	if (dnnl_memory_desc_equal(desc, &input->desc)) {
		add_argument(call, which, input->memory);
		return;
	}
	call->converted = tensor_new(net, desc);
	net_reorder(net, input->memory, &input->desc, call->converted.memory, desc);
	add_argument(call, which, call->converted.memory);
}

static dnnl_primitive_attr_t with_activation(enum activation activation)
{
	dnnl_primitive_attr_t attr;
	dnnl_post_ops_t ops;

	if (activation == ACT_NONE)
		return NULL;
	net_check(dnnl_primitive_attr_create(&attr), "attributes");
	net_check(dnnl_post_ops_create(&ops), "attributes");
	net_check(dnnl_post_ops_append_eltwise(
			  ops, 1, activation == ACT_RELU ? dnnl_eltwise_relu : dnnl_eltwise_gelu_erf, 0, 0),
		  "attributes");
	net_check(dnnl_primitive_attr_set_post_ops(attr, ops), "attributes");
	net_check(dnnl_post_ops_destroy(ops), "attributes");
	return attr;
}

static dnnl_memory_t bias_memory(const struct net *net, const struct weights *weights, const dnnl_memory_desc_t *desc)
{
	dnnl_memory_t memory;

	net_check(dnnl_memory_create(&memory, desc, net->engine, weights->bias), "memory");
	return memory;
}

static void result_dims(const struct tensor *input, dnnl_dim_t channels, const dnnl_dim_t kernel[2],
			struct window window, dnnl_dims_t ret_dims)
{
	ret_dims[0] = input->desc.dims[0];
	ret_dims[1] = channels;
	for (int i = 0; i < 2; i++)
		ret_dims[2 + i] = (input->desc.dims[2 + i] + 2 * window.pad[i] - kernel[i]) / window.stride[i] + 1;
}

struct tensor net_convolution_keep(struct net *net, const struct tensor *input, struct weights *weights,
				   struct window window, bool relu)
{
	const dnnl_dims_t strides = { window.stride[0], window.stride[1] }, pads = { window.pad[0], window.pad[1] };
	struct call call = { .count = 0 };
	dnnl_memory_desc_t source, kernel, bias, target;
	dnnl_convolution_desc_t desc;
	dnnl_memory_t bias_values;
	struct tensor output;
	dnnl_dims_t dims = { 0 };

	result_dims(input, weights->dims[0], weights->dims + 2, window, dims);
	target = data_desc(net, dims, dnnl_f32);
	if (net->reference) {
		output = tensor_new(net, &target);
		reference_convolution(input, weights, window, relu, &output);
		return output;
	}
	source = data_desc(net, input->desc.dims, factor_type(net));
	kernel = any_desc(4, weights->dims, factor_type(net));
	bias = net_plain_desc(1, (dnnl_dims_t){ weights->dims[0] }, dnnl_f32);
	net_check(dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_direct, &source,
						     &kernel, &bias, &target, strides, pads, pads),
		  "convolution");
	describe(net, &call, &desc, with_activation(relu ? ACT_RELU : ACT_NONE));
	output = tensor_new(net, wanted(&call, dnnl_query_dst_md));
	bias_values = bias_memory(net, weights, &bias);
	add_input(net, &call, DNNL_ARG_SRC, input);
	add_argument(&call, DNNL_ARG_WEIGHTS, net_packed(net, weights, wanted(&call, dnnl_query_weights_md)));
	add_argument(&call, DNNL_ARG_BIAS, bias_values);
	add_argument(&call, DNNL_ARG_DST, output.memory);
	run(net, &call);
	net_check(dnnl_memory_destroy(bias_values), "memory");
	return output;
}

struct tensor net_convolution(struct net *net, struct tensor *input, struct weights *weights, struct window window,
			      bool relu)
{
	const struct tensor output = net_convolution_keep(net, input, weights, window, relu);

	tensor_free(input);
	return output;
}

struct tensor net_max_pool(struct net *net, struct tensor *input, int kernel, struct window window)
{
	const dnnl_dims_t strides = { window.stride[0], window.stride[1] }, pads = { window.pad[0], window.pad[1] };
	const dnnl_dims_t kernels = { kernel, kernel };
	struct call call = { .count = 0 };
	dnnl_memory_desc_t target;
	dnnl_pooling_desc_t desc;
	struct tensor output;
	dnnl_dims_t dims = { 0 };

	result_dims(input, input->desc.dims[1], kernels, window, dims);
	if (net->reference) {
		target = data_desc(net, dims, dnnl_f32);
		output = tensor_new(net, &target);
		reference_max_pool(input, kernel, window, &output);
		tensor_free(input);
		return output;
	}
	target = any_desc(4, dims, dnnl_f32);
	net_check(dnnl_pooling_forward_desc_init(&desc, dnnl_forward_inference, dnnl_pooling_max, &input->desc, &target,
						 strides, kernels, pads, pads),
		  "pooling");
	describe(net, &call, &desc, NULL);
	output = tensor_new(net, wanted(&call, dnnl_query_dst_md));
	add_argument(&call, DNNL_ARG_SRC, input->memory);
	add_argument(&call, DNNL_ARG_DST, output.memory);
	run(net, &call);
	tensor_free(input);
	return output;
}

struct tensor net_add(struct net *net, struct tensor *a, struct tensor *b, bool relu)
{
	struct call call = { .count = 0 };
	struct tensor output = tensor_new(net, &a->desc);
	dnnl_binary_desc_t desc;

	if (net->reference) {
		reference_add(a, b, relu, &output);
	} else {
		net_check(dnnl_binary_desc_init(&desc, dnnl_binary_add, &a->desc, &b->desc, &a->desc), "sum");
		describe(net, &call, &desc, with_activation(relu ? ACT_RELU : ACT_NONE));
		add_argument(&call, DNNL_ARG_SRC_0, a->memory);
		add_argument(&call, DNNL_ARG_SRC_1, b->memory);
		add_argument(&call, DNNL_ARG_DST, output.memory);
		run(net, &call);
	}
	tensor_free(a);
	tensor_free(b);
	return output;
}

struct tensor net_linear(struct net *net, const struct tensor *input, struct weights *weights,
			 enum activation activation)
{
	const dnnl_dims_t dims = { input->desc.dims[0], weights->dims[1] }, bias_dims = { 1, weights->dims[1] };
	const dnnl_memory_desc_t target = net_plain_desc(2, dims, dnnl_f32);
	const dnnl_memory_desc_t bias = net_plain_desc(2, bias_dims, dnnl_f32);
	const struct tensor output = tensor_new(net, &target);
	struct call call = { .count = 0 };
	dnnl_memory_desc_t source, factor;
	dnnl_memory_t bias_values;
	dnnl_matmul_desc_t desc;

	if (net->reference) {
		reference_linear(input, weights, activation, &output);
		return output;
	}
	source = net_plain_desc(2, input->desc.dims, factor_type(net));
	factor = any_desc(2, weights->dims, factor_type(net));
	net_check(dnnl_matmul_desc_init(&desc, &source, &factor, &bias, &target), "matmul");
	describe(net, &call, &desc, with_activation(activation));
	bias_values = bias_memory(net, weights, &bias);
	add_input(net, &call, DNNL_ARG_SRC, input);
	add_argument(&call, DNNL_ARG_WEIGHTS, net_packed(net, weights, wanted(&call, dnnl_query_weights_md)));
	add_argument(&call, DNNL_ARG_BIAS, bias_values);
	add_argument(&call, DNNL_ARG_DST, output.memory);
	run(net, &call);
	net_check(dnnl_memory_destroy(bias_values), "memory");
	return output;
}

static dnnl_primitive_attr_t with_scale(float scale)
{
	dnnl_primitive_attr_t attr;

	net_check(dnnl_primitive_attr_create(&attr), "attributes");
	net_check(dnnl_primitive_attr_set_output_scales(attr, 1, 0, &scale), "attributes");
	return attr;
}

struct tensor net_product(struct net *net, const struct tensor *a, const struct tensor *b, bool transposed, float scale)
{
	const dnnl_dim_t *left = a->desc.dims, *right = b->desc.dims;
	const dnnl_dims_t dims = { left[0], left[1], right[transposed ? 1 : 2] };
	const dnnl_memory_desc_t target = net_plain_desc(3, dims, dnnl_f32);
	const struct tensor output = tensor_new(net, &target);
	struct call call = { .count = 0 };
	dnnl_memory_desc_t factor = b->desc;
	dnnl_matmul_desc_t desc;

	if (net->reference) {
		reference_product(a, b, transposed, scale, &output);
		return output;
	}
	if (transposed)
		net_check(dnnl_memory_desc_init_by_tag(&factor, 3, (dnnl_dims_t){ right[0], right[2], right[1] },
						       dnnl_f32, dnnl_acb),
			  "description");
	net_check(dnnl_matmul_desc_init(&desc, &a->desc, &factor, NULL, &target), "matmul");
	describe(net, &call, &desc, with_scale(scale));
	add_argument(&call, DNNL_ARG_SRC, a->memory);
	add_argument(&call, DNNL_ARG_WEIGHTS, b->memory);
	add_argument(&call, DNNL_ARG_DST, output.memory);
	run(net, &call);
	return output;
}

struct tensor net_softmax(struct net *net, struct tensor *input)
{
	const struct tensor output = tensor_new(net, &input->desc);
	struct call call = { .count = 0 };
	dnnl_softmax_desc_t desc;

	if (net->reference) {
		reference_softmax(input, &output);
	} else {
		net_check(dnnl_softmax_forward_desc_init(&desc, dnnl_forward_inference, &input->desc,
							 input->desc.ndims - 1),
			  "softmax");
		describe(net, &call, &desc, NULL);
		add_argument(&call, DNNL_ARG_SRC, input->memory);
		add_argument(&call, DNNL_ARG_DST, output.memory);
		run(net, &call);
	}
	tensor_free(input);
	return output;
}
