/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of what oneDNN prints under ONEDNN_VERBOSE, taken apart. Nothing is copied: every span points into the line.
 *
 * The forms that are known (oneDNN developer guide, Verbose Mode, of 2.0 to 3.9; looked at in 2.6.3 and 3.12.0):
 *
 *     dnnl_verbose,exec,cpu,convolution,...,0.31                       2.0 and before
 *     onednn_verbose,create:cache_miss,cpu,convolution,...,0.31        2.x; a timestamp may stand before the operation
 *     onednn_verbose,primitive,exec,cpu,convolution,...,0.31           3.2
 *     onednn_verbose,v1,<timestamp>,primitive,exec,cpu,...,0.31        3.6 on
 *
 * What stands where behind the operation is told by a template line; without one it is as it has always been.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct onednn_span {
	const char *at; /* not terminated */
	size_t length;
};

enum onednn_line_type {
	ONEDNN_LINE_CUT,      /* begins like a line of oneDNN's and is not whole */
	ONEDNN_LINE_OTHER,    /* dispatch, checks, errors; the graph API, whose primitives print lines of their own */
	ONEDNN_LINE_VERSION,  /* the first of a process: "info,oneDNN v3.12.0 (commit ...)" */
	ONEDNN_LINE_ISA,      /* "info,cpu,isa:..." */
	ONEDNN_LINE_RUNTIME,  /* "info,cpu,runtime:OpenMP,nthr:2" */
	ONEDNN_LINE_TEMPLATE, /* of primitives */
	ONEDNN_LINE_CREATE,
	ONEDNN_LINE_EXEC,
};

/* What a creation says of the primitive cache. */
enum onednn_cached {
	ONEDNN_CACHED_UNSAID,
	ONEDNN_CACHED_HIT,
	ONEDNN_CACHED_MISS,
};

/* What a template can name. */
enum onednn_field {
	ONEDNN_ENGINE,
	ONEDNN_KIND,
	ONEDNN_IMPLEMENTATION,
	ONEDNN_PROP,
	ONEDNN_MEMORY,
	ONEDNN_ATTRIBUTES,
	ONEDNN_AUXILIARY,
	ONEDNN_PROBLEM,
	ONEDNN_TIME,
	ONEDNN_FIELD_COUNT,
};

/* Where each field stands behind the operation. */
struct onednn_template {
	unsigned char at[ONEDNN_FIELD_COUNT];
	unsigned char count; /* fields in all */
};

extern const struct onednn_template onednn_template_usual;

struct onednn_line {
	enum onednn_line_type type;
	enum onednn_cached cached;
	bool nested;                                  /* made by another primitive for itself */
	struct onednn_span field[ONEDNN_FIELD_COUNT]; /* of CREATE and EXEC */
	struct onednn_span key;                       /* what tells one primitive from another: engine to problem */
	double ms;
	struct onednn_span words;        /* of VERSION, ISA, RUNTIME: what is said */
	struct onednn_template template; /* of TEMPLATE */
};

/*
 * Take a line apart: `text` begins with the marker ("onednn_verbose,") and has no line end. A second marker
 * further on means that two writers got mixed: the line is cut, and `*ret_next` is where the other begins; otherwise it
 * is `length`.
 */
void onednn_line_parse(const char *text, size_t length, const struct onednn_template *template,
		       struct onednn_line *ret_line, size_t *ret_next);

/* Where oneDNN's marker begins in `text`, or `length`. */
size_t onednn_line_find(const char *text, size_t length);

/* Is the span this word? */
bool onednn_span_is(struct onednn_span span, const char *word);

/* Does the span begin with this? */
bool onednn_span_begins(struct onednn_span span, const char *word);

/* A number as printf's %g and %f write it, the whole span. False: it is none. */
bool onednn_span_number(struct onednn_span span, double *ret_number);
