/* SPDX-License-Identifier: Apache-2.0 */
/* What net.c and layers.c share. */
#pragma once

#include "net.h"

void net_check(dnnl_status_t status, const char *what);

dnnl_memory_desc_t net_plain_desc(int dim_count, const dnnl_dims_t dims, dnnl_data_type_t type);

void net_reorder(const struct net *net, dnnl_memory_t from, const dnnl_memory_desc_t *from_desc, dnnl_memory_t to,
		 const dnnl_memory_desc_t *to_desc);

/* The weights in this form; they are put into it at the first call, and again when another is asked for. */
dnnl_memory_t net_packed(const struct net *net, struct weights *weights, const dnnl_memory_desc_t *desc);
