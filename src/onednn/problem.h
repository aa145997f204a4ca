/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fields of a primitive's line say: how much it computes, and in which layouts its data lie.
 */
#pragma once

#include "onednn/line.h"

#include <stdint.h>

enum onednn_trait {
	ONEDNN_REORDER = 1 << 0,
	ONEDNN_REFERENCE = 1 << 1,     /* plain C++ loops: "ref:any" and its like */
	ONEDNN_SPATIAL = 1 << 2,       /* of a kind for which the order of channels and places matters */
	ONEDNN_PLAIN = 1 << 3,         /* spatial, and its data or result has all places of a channel together (NCHW) */
	ONEDNN_CHANNELS_LAST = 1 << 4, /* spatial, data and result have all channels of a place together (NHWC) */
	ONEDNN_ASKED_PLAIN = 1 << 5,   /* plain, and not by the library's choice: oneDNN 3 says so */
	ONEDNN_ACTIVATION = 1 << 6,    /* a reorder of data, not of weights, between plain and blocked */
	ONEDNN_SINGLE = 1 << 7,        /* a convolution, matmul or inner product in single precision */
	ONEDNN_NARROW = 1 << 8,        /* one in bf16, f16, f8 or 8 bit integers */
};

/* The traits of a CREATE or EXEC line. */
unsigned onednn_traits(const struct onednn_line *line);

/*
 * Floating point operations of one execution, a multiplication and an addition being two; 0 where they are not known:
 * other kinds than convolution, deconvolution, matmul and inner product, sizes that come only with the execution.
 * Places that fall on padding are counted.
 */
double onednn_flop(const struct onednn_line *line);
