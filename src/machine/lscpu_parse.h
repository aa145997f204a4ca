/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of `lscpu` taken apart: tables of CPUs (`-e`, `-p`, `-J -e`) and the fields of the
 * summary, as they are written. Nothing is concluded here; lscpu_fill.c does that.
 */
#pragma once

#include <hwloc/bitmap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* The columns that tell something about a machine. */
enum lscpu_column {
	LSCPU_CORE,
	LSCPU_SOCKET,
	LSCPU_BOOK,
	LSCPU_DRAWER,
	LSCPU_NODE,
	LSCPU_L1, /* data */
	LSCPU_L2,
	LSCPU_L3,
	LSCPU_L4,
	LSCPU_ONLINE, /* 1 or 0 */
	LSCPU_MAX_MHZ,
	LSCPU_COLUMNS,
};

enum { LSCPU_EMPTY = -1, LSCPU_CACHE_LEVELS = 4 };

struct lscpu_row {
	unsigned os;
	int64_t cells[LSCPU_COLUMNS]; /* LSCPU_EMPTY: nothing, "-", or no such column */
};

struct lscpu_table {
	bool has[LSCPU_COLUMNS];
	struct lscpu_row *rows; /* as they stand in the text; no CPU twice */
	size_t count, capacity;
	hwloc_bitmap_t seen; /* the rows' CPUs */
};

struct lscpu_node {
	unsigned os;
	hwloc_bitmap_t pus_os; /* offline ones too, as the kernel has it */
};

struct lscpu {
	struct lscpu_table *tables;
	size_t table_count, table_capacity;

	/* The summary. */
	hwloc_bitmap_t online;    /* NULL: not told, there is no summary */
	bool hex;                 /* sets of CPUs are masks (--hex) */
	unsigned kinds;           /* kinds of CPU that are told of, each with threads, cores and sockets of its own */
	struct lscpu_node *nodes; /* no CPU in two of them */
	size_t node_count, node_capacity;
	hwloc_bitmap_t in_nodes;
	unsigned threads_per_core; /* the most that is told of any kind of CPU; 0: not told */
	unsigned cores_per_socket;
	unsigned sockets;
	uint64_t cache_bytes[LSCPU_CACHE_LEVELS]; /* of level 1 upward where there is one instance; 0: not told */
	char *model, *architecture;               /* NULL: not told */
};

/* Read text in any of lscpu's forms. `length` is without the NUL. Returns 0, -EINVAL naming the line, or -ENOMEM. */
int lscpu_parse(const char *text, size_t length, struct lscpu *ret_lscpu, struct err *err);

void lscpu_clear(struct lscpu *lscpu);
#define cleanup_lscpu cleanup_(lscpu_clear)
