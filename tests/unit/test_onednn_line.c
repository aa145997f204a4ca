/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN's lines: every form of every version, and a stream however it is cut and mixed. */
#include "base/cleanup.h"
#include "onednn/problem.h"
#include "onednn/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define REST                                                                                                        \
	"cpu,convolution,jit:avx2,forward_inference,src_f32::blocked:aBcd8b:f0 wei_f32::blocked:ABcd8b8a:f0 "       \
	"bia_f32::blocked:a:f0 dst_f32::blocked:aBcd8b:f0,,alg:convolution_direct,mb2_ic16oc16_ih7oh7kh5sh1dh0ph2_" \
	"iw7ow7kw5sw1dw0pw2"

static struct onednn_line parsed(const char *text)
{
	struct onednn_line line;
	size_t next;

	onednn_line_parse(text, strlen(text), &onednn_template_usual, &line, &next);
	return line;
}

static void every_version_says_the_same(void **state)
{
	static const struct {
		const char *text;
		enum onednn_line_type type;
		enum onednn_cached cached;
		bool nested;
	} rows[] = {
		{ "dnnl_verbose,exec," REST ",0.25", ONEDNN_LINE_EXEC },
		{ "onednn_verbose,exec," REST ",0.25", ONEDNN_LINE_EXEC },
		{ "onednn_verbose,1795661648361.516113,exec," REST ",0.25", ONEDNN_LINE_EXEC },
		{ "onednn_verbose,primitive,exec," REST ",0.25", ONEDNN_LINE_EXEC },
		{ "onednn_verbose,v1,primitive,exec," REST ",0.25", ONEDNN_LINE_EXEC },
		{ "onednn_verbose,v1,1795661423399.216064,primitive,exec," REST ",0.25", ONEDNN_LINE_EXEC },
		{ "onednn_verbose,create:cache_hit," REST ",0.25", ONEDNN_LINE_CREATE, ONEDNN_CACHED_HIT },
		{ "onednn_verbose,v1,primitive,create:cache_miss," REST ",0.25", ONEDNN_LINE_CREATE,
		  ONEDNN_CACHED_MISS },
		{ "onednn_verbose,v1,primitive,create_nested:cache_hit," REST ",0.25", ONEDNN_LINE_CREATE,
		  ONEDNN_CACHED_HIT, true },
		{ "onednn_verbose,v1,primitive,create:kernel_cache_hit," REST ",0.25", ONEDNN_LINE_CREATE,
		  ONEDNN_CACHED_MISS },
		{ "onednn_verbose,create:from_cache_blob," REST ",0.25", ONEDNN_LINE_CREATE, ONEDNN_CACHED_MISS },
		{ "dnnl_verbose,create," REST ",0.25", ONEDNN_LINE_CREATE, ONEDNN_CACHED_UNSAID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct onednn_line line = parsed(rows[i].text);

		assert_int_equal(line.type, rows[i].type);
		assert_int_equal(line.cached, rows[i].cached);
		assert_int_equal(line.nested, rows[i].nested);
		assert_true(line.ms == 0.25);
		assert_int_equal(line.key.length, strlen(REST));
		assert_memory_equal(line.key.at, REST, strlen(REST));
		assert_true(onednn_span_is(line.field[ONEDNN_KIND], "convolution"));
		assert_true(onednn_span_is(line.field[ONEDNN_IMPLEMENTATION], "jit:avx2"));
	}
}

static void the_form_of_a_descriptor_is_no_part_of_the_kind(void **state)
{
	const struct onednn_line line =
		parsed("onednn_verbose,exec,cpu,pooling_v2,jit:avx512_core,forward_inference,"
		       "src_f32::blocked:acdb:f0 dst_f32::blocked:acdb:f0 ws_undef::undef::f0,,alg:pooling_max,"
		       "mb2ic64_ih112oh56kh3sh2dh0ph1_iw112ow56kw3sw2dw0pw1,27.5");

	(void)state;
	assert_int_equal(line.type, ONEDNN_LINE_EXEC);
	assert_true(onednn_span_is(line.field[ONEDNN_KIND], "pooling"));
	assert_true(onednn_traits(&line) & ONEDNN_CHANNELS_LAST);
}

static void what_is_not_about_a_primitive_is_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum onednn_line_type type;
		const char *words;
	} rows[] = {
		{ "onednn_verbose,v1,info,oneDNN v3.12.0 (commit 80afa71)", ONEDNN_LINE_VERSION,
		  "oneDNN v3.12.0 (commit 80afa71)" },
		{ "dnnl_verbose,info,DNNL v1.3.0 (commit d0fc158)", ONEDNN_LINE_VERSION,
		  "DNNL v1.3.0 (commit d0fc158)" },
		{ "onednn_verbose,info,cpu,isa:Intel AVX-512 with AVX512BW, AVX512VL, and AVX512DQ extensions",
		  ONEDNN_LINE_ISA, "Intel AVX-512 with AVX512BW, AVX512VL, and AVX512DQ extensions" },
		{ "onednn_verbose,v1,info,cpu,runtime:OpenMP,nthr:2", ONEDNN_LINE_RUNTIME, "OpenMP,nthr:2" },
		{ "onednn_verbose,info,gpu,runtime:none", ONEDNN_LINE_OTHER, NULL },
		{ "onednn_verbose,v1,primitive,create:dispatch," REST ",unsupported isa,src/x.cpp:31",
		  ONEDNN_LINE_OTHER, NULL },
		{ "onednn_verbose,v1,primitive,exec:check,primitive,unused argument (80),src/x.cpp:2",
		  ONEDNN_LINE_OTHER, NULL },
		{ "onednn_verbose,v1,graph,exec,cpu,100002,matmul_post_ops,mm,,fpm:strict,sdp,dnnl_backend,0.5",
		  ONEDNN_LINE_OTHER, NULL },
		{ "onednn_verbose,v2,something,new", ONEDNN_LINE_OTHER, NULL },
		{ "onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx2", ONEDNN_LINE_CUT, NULL },
		{ "onednn_verbose,v1,primitive,exec," REST ",", ONEDNN_LINE_CUT, NULL },
		{ "onednn_verbose,v1,primitive,exec," REST ",0.2.5", ONEDNN_LINE_CUT, NULL },
		{ "onednn_verbose,v1,primitive,exec," REST, ONEDNN_LINE_CUT, NULL },
		{ "onednn_verbose,v1", ONEDNN_LINE_CUT, NULL },
		{ "onednn_verbose,", ONEDNN_LINE_CUT, NULL },
		{ "onednn_verbose,off", ONEDNN_LINE_CUT, NULL },
		{ "onednn_verbose, it says, is a variable", ONEDNN_LINE_CUT, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct onednn_line line = parsed(rows[i].text);

		assert_int_equal(line.type, rows[i].type);
		if (rows[i].words)
			assert_true(onednn_span_is(line.words, rows[i].words));
	}
}

/* A template in another order moves the fields. */
static void a_template_says_where_fields_are(void **state)
{
	struct onednn_line line =
		parsed("onednn_verbose,v1,primitive,info,template:timestamp,operation,primitive,engine,"
		       "implementation,prop_kind,device,memory_descriptors,attributes,auxiliary,"
		       "problem_desc,exec_time");
	const struct onednn_template template = line.template;
	static const char TEXT[] =
		"onednn_verbose,v1,9.5,primitive,exec,matmul,cpu,brg,undef,d0,src:f32::blocked:ab::f0,,,"
		"8x4:4x2,3";
	size_t next;

	(void)state;
	assert_int_equal(line.type, ONEDNN_LINE_TEMPLATE);
	onednn_line_parse(TEXT, sizeof(TEXT) - 1, &template, &line, &next);
	assert_int_equal(line.type, ONEDNN_LINE_EXEC);
	assert_true(onednn_span_is(line.field[ONEDNN_KIND], "matmul"));
	assert_true(onednn_span_is(line.field[ONEDNN_PROBLEM], "8x4:4x2"));
	assert_true(line.ms == 3);
	assert_int_equal(parsed(TEXT).type, ONEDNN_LINE_CUT);
	assert_int_equal(parsed("onednn_verbose,info,template:operation,engine,primitive").type, ONEDNN_LINE_OTHER);
}

static void numbers_are_taken_whole(void **state)
{
	static const struct {
		const char *text;
		double due; /* negative: refused */
	} rows[] = {
		{ "0.249023", 0.249023 },
		{ "11.97", 11.97 },
		{ "0", 0 },
		{ "1e-05", 1e-5 },
		{ "1.5e+03", 1500 },
		{ "5.", 5 },
		{ ".5", 0.5 },
		{ "-1", -1 },
		{ "nan", -1 },
		{ "inf", -1 },
		{ "1e", -1 },
		{ "1e99999", -1 },
		{ "", -1 },
		{ "12 ", -1 },
		{ "1e+300", -1 },
		{ ".", -1 },
		{ "0x10", -1 },
		{ "+1", -1 },
		{ "12345678", 12345678 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct onednn_span span = { rows[i].text, strlen(rows[i].text) };
		double number = -1;

		assert_int_equal(onednn_span_number(span, &number), rows[i].due >= 0);
		assert_true(rows[i].due < 0 || (number > rows[i].due - 1e-9 && number < rows[i].due + 1e-9));
	}
}

static void count_line(const struct onednn_line *line, void *context)
{
	size_t *executions = context;

	*executions += line->type == ONEDNN_LINE_EXEC;
}

static void a_stream_is_read_however_it_is_cut(void **state)
{
	static const char LINE[] = "onednn_verbose,exec," REST ",0.25";
	static const struct {
		const char *before, *after;
		size_t whole, cut, others;
	} rows[] = {
		{ "", "\n", 1, 0, 0 },
		{ "", "\r\n", 1, 0, 0 },
		{ "", "", 1, 0, 0 },
		{ "loss 0.5\n\n", "\nbye\n", 1, 0, 3 },
		{ "loss 0.5 ", "\n", 1, 0, 1 },
		{ "onednn_verbose,exec,cpu,convoluti", "\n", 1, 1, 0 },
		{ "\xff\xfe", "words\n", 0, 1, 1 },
		{ "onednn_verbose onednn_verb ", "\n", 1, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = NULL;
		const int length = asprintf(&text, "%s%s%s", rows[i].before, LINE, rows[i].after);

		for (size_t piece = 1; piece <= (size_t)length; piece++) {
			cleanup_free struct onednn_stream *stream = malloc(sizeof(*stream));
			size_t executions = 0;

			onednn_stream_init(stream, count_line, &executions);
			for (size_t at = 0; at < (size_t)length; at += piece)
				onednn_stream_feed(stream, text + at,
						   (size_t)length - at < piece ? (size_t)length - at : piece);
			onednn_stream_end(stream);
			assert_int_equal(executions, rows[i].whole);
			assert_int_equal(stream->cut_lines, rows[i].cut);
			assert_int_equal(stream->other_lines, rows[i].others);
		}
	}
}

/* A program that writes a gigabyte without a line end costs no memory, and what follows is not lost. */
static void an_endless_line_is_passed_over(void **state)
{
	static const char LINE[] = "onednn_verbose,exec," REST ",0.25\n";
	cleanup_free struct onednn_stream *stream = malloc(sizeof(*stream));
	cleanup_free char *block = malloc(1 << 20);
	size_t executions = 0;

	(void)state;
	memset(block, 'x', 1 << 20);
	onednn_stream_init(stream, count_line, &executions);
	for (int i = 0; i < 20; i++)
		onednn_stream_feed(stream, block, 1 << 20);
	onednn_stream_feed(stream, LINE, sizeof(LINE) - 1);
	onednn_stream_feed(stream, LINE, 30);
	onednn_stream_feed(stream, block, 1 << 20);
	onednn_stream_feed(stream, "\n", 1);
	onednn_stream_feed(stream, LINE, sizeof(LINE) - 1);
	onednn_stream_end(stream);
	assert_int_equal(executions, 2);
	assert_int_equal(stream->lines, 2);
	assert_int_equal(stream->cut_lines, 1);
	assert_int_equal(stream->other_lines, 1);
}

static struct onednn_line exec_of(const char *kind, const char *implementation, const char *memory, const char *problem,
				  char text[512])
{
	(void)snprintf(text, 512, "onednn_verbose,exec,cpu,%s,%s,undef,%s,,,%s,1", kind, implementation, memory,
		       problem);
	return parsed(text);
}

static void operations_are_counted_from_the_problem(void **state)
{
	static const struct {
		const char *kind, *problem;
		double due;
	} rows[] = {
		{ "convolution", "mb2_ic16oc32_ih7oh5kh3sh1dh0ph0_iw7ow5kw3sw1dw0pw0", 2.0 * 2 * 32 * 25 * 16 * 9 },
		{ "convolution", "g8mb4_ic8oc8_ih20oh18kh3sh1dh0ph0_iw20ow18kw3sw1dw0pw0", 2.0 * 4 * 8 * 18 * 18 * 9 },
		{ "convolution", "mb1_ic4oc8_iw10ow8kw3sw1dw0pw0", 2.0 * 8 * 8 * 4 * 3 },
		{ "deconvolution", "mb1_ic8oc16_ih20oh22kh3sh1dh0ph0_iw20ow22kw3sw1dw0pw0", 2.0 * 400 * 8 * 16 * 9 },
		{ "matmul", "128x256:256x64", 2.0 * 128 * 256 * 64 },
		{ "matmul", "8x128x256:1x256x64", 2.0 * 8 * 128 * 256 * 64 },
		{ "matmul", "128x256:256x64:128x64", 2.0 * 128 * 256 * 64 },
		{ "matmul", "*x256:256x64", 0 },
		{ "matmul", "128x256:255x64", 0 },
		{ "matmul", "128", 0 },
		{ "inner_product", "mb16ic256oc100", 2.0 * 16 * 256 * 100 },
		{ "inner_product", "mb16ic8ih3iw3oc100", 2.0 * 16 * 72 * 100 },
		{ "convolution", "mb2_ic16oc", 0 },
		{ "reorder", "16x8x3x3", 0 },
		{ "convolution", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512];
		const struct onednn_line line = exec_of(rows[i].kind, "jit", "", rows[i].problem, text);

		assert_int_equal(line.type, ONEDNN_LINE_EXEC);
		assert_true(onednn_flop(&line) == rows[i].due);
	}
}

static void layouts_are_read_from_the_descriptors(void **state)
{
	static const struct {
		const char *kind, *implementation, *memory;
		unsigned due;
	} rows[] = {
		{ "convolution", "x64:gemm:jit",
		  "src_f32::blocked:abcd:f0 wei_f32::blocked:abcd:f0 dst_f32::blocked:abcd:f0",
		  ONEDNN_SPATIAL | ONEDNN_PLAIN | ONEDNN_ASKED_PLAIN | ONEDNN_SINGLE },
		{ "convolution", "jit",
		  "src:f32:a:blocked:abcd::f0 wei:f32:a:blocked:Acdb16a::f0 dst:f32:a:blocked:aBcd16b::f0",
		  ONEDNN_SPATIAL | ONEDNN_PLAIN | ONEDNN_SINGLE },
		{ "convolution", "brg",
		  "src:bf16::blocked:acdb::f0 wei:bf16:a:blocked:Acdb16a::f0 dst:bf16::blocked:acdb::f0",
		  ONEDNN_SPATIAL | ONEDNN_CHANNELS_LAST | ONEDNN_NARROW },
		{ "convolution", "jit",
		  "src_f32::blocked:aBcd16b:f0 wei_f32::blocked:ABcd16b16a:f0 dst_f32::blocked:aBcd16b:f0",
		  ONEDNN_SPATIAL | ONEDNN_SINGLE },
		{ "reorder", "jit:blk", "src:f32::blocked:aBcd16b::f0 dst:f32::blocked:abcd::f0",
		  ONEDNN_REORDER | ONEDNN_ACTIVATION },
		{ "reorder", "jit:uni", "src:f32::blocked:abcd::f0 dst:f32::blocked:Acdb16a::f0", ONEDNN_REORDER },
		{ "reorder", "jit:uni", "src:f32::blocked:ab::f0 dst:f32::blocked:ba::f0", ONEDNN_REORDER },
		{ "matmul", "ref:any", "src:f32::blocked:ab::f0 wei:f32::blocked:ab::f0 dst:f32::blocked:ab::f0",
		  ONEDNN_REFERENCE | ONEDNN_SINGLE },
		{ "matmul", "ref_int8:any", "src:u8::blocked:ab::f0 wei:s8::blocked:ab::f0 dst:f32::blocked:ab::f0",
		  ONEDNN_REFERENCE | ONEDNN_NARROW },
		{ "pooling", "jit:avx2", "diff_src:f32::blocked:abcde::f0 diff_dst:f32::blocked:abcde::f0",
		  ONEDNN_SPATIAL | ONEDNN_PLAIN | ONEDNN_ASKED_PLAIN },
		{ "eltwise", "jit:avx2", "data_f32::blocked:abcd:f0 diff_undef::undef::f0", 0 },
		{ "convolution", "refined", "", ONEDNN_SPATIAL },
		{ "convolution", "jit", "src src:: :::: src:f32:a:blocked:", ONEDNN_SPATIAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512];
		const struct onednn_line line =
			exec_of(rows[i].kind, rows[i].implementation, rows[i].memory, "1", text);

		assert_int_equal(onednn_traits(&line), rows[i].due);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_version_says_the_same),
		cmocka_unit_test(the_form_of_a_descriptor_is_no_part_of_the_kind),
		cmocka_unit_test(what_is_not_about_a_primitive_is_told_apart),
		cmocka_unit_test(a_template_says_where_fields_are),
		cmocka_unit_test(numbers_are_taken_whole),
		cmocka_unit_test(a_stream_is_read_however_it_is_cut),
		cmocka_unit_test(an_endless_line_is_passed_over),
		cmocka_unit_test(operations_are_counted_from_the_problem),
		cmocka_unit_test(layouts_are_read_from_the_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
