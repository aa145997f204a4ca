/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of host facts: a row says what a fact is called, how it is written in the document,
 * where it is found and which reader takes it from there.
 */
#pragma once

#include "machine/host.h"

#include <stdbool.h>

struct sysroot;

enum host_form {
	HOST_FORM_NUMBER,
	HOST_FORM_BYTES,
	HOST_FORM_FLAG,  /* value 0 or 1 */
	HOST_FORM_MILLI, /* value is thousandths */
	HOST_FORM_TEXT,  /* raw */
	HOST_FORM_LIST,  /* raw is a CPU list */
	HOST_FORM_WORDS, /* raw is words between blanks */
};

/* What is read once and serves several facts. */
struct host_reader {
	const struct sysroot *root;
	hwloc_const_bitmap_t pus_os;
	char *cpuinfo;            /* /proc/cpuinfo of the first CPUs; NULL: not to be had */
	int cpuinfo_code;         /* then -errno */
	bool proc_whole;          /* a file missing in /proc is not there, rather than not saved */
	bool sys_whole;           /* the same for /sys */
	struct host_pool **pools; /* where the pools go */
	size_t *pool_count;
};

struct host_row;
/* Fill `ret_fact`: known, absent or unknown. Returns 0 or -ENOMEM. */
typedef int host_read_fn(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact);

enum { HOST_PATHS = 2 };

struct host_row {
	const char *name;
	enum host_form form;
	host_read_fn *read;
	const char *paths[HOST_PATHS]; /* the first that is there counts; '#' stands for a CPU's number */
	const char *key;               /* the line or word that is meant, where the file has several */
	unsigned divide[HOST_PATHS];   /* what the file counts, in units of the fact; 0: as it is */
	bool moves;                    /* a counter, another one at each look */
};

extern const struct host_row host_rows[HOST_FACT_COUNT];

/* What is not there is absent or unknown (see host_read()); any other -errno is the reason of an unknown. */
int host_missing(const struct host_reader *in, const char *path, int code, struct fact *ret_fact);

/* A fact whose text was found and is `raw`, made printable; `value` by the fact's meaning. */
int host_known(struct fact *fact, uint64_t value, const char *path, const char *raw);

/* Text was found and means nothing to us. */
int host_garbled(struct fact *fact, const char *path, const char *raw);

host_read_fn host_read_text, host_read_number, host_read_signed, host_read_chosen, host_read_list, host_read_meminfo,
	host_read_swap_used, host_read_shared_memory, host_read_pressure, host_read_pools, host_read_partition,
	host_read_steal, host_read_later;
host_read_fn host_read_cpu_words, host_read_cpu_fastest, host_read_cpu_slowest, host_read_current, host_read_boost;
host_read_fn host_read_hypervisor, host_read_cpuinfo_text, host_read_cpuinfo_number, host_read_isa;

/* Watch the machine itself for `ms`: the two facts of the sample. Returns 0 or -ENOMEM. */
int host_sample(const struct host_reader *in, unsigned ms, struct host *host);

/* The value of "key : value" in /proc/cpuinfo's first block that has it; the caller frees it. */
char *host_cpuinfo_value(const char *cpuinfo, const char *key);
