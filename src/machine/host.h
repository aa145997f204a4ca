/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the host is set up: clock, huge pages, NUMA balancing, swap, isolation, pressure, the ISA a
 * library could use. Facts only, each with the path it came from; whether one is good or bad is
 * said elsewhere (src/report). Read when asked for, never on the way to a start.
 */
#pragma once

#include "base/fact.h"

#include <hwloc/bitmap.h>
#include <jansson.h>
#include <stddef.h>

struct err;
struct machine;
struct sysroot;
struct text;

/* In the order of the document. host_table.c says for each what it is called and where it is found. */
enum host_fact {
	HOST_KERNEL,            /* text: release */
	HOST_HYPERVISOR,        /* text: its name, or "unnamed"; absent: none */
	HOST_CPU_VENDOR,        /* text, as /proc/cpuinfo has it */
	HOST_CPU_FAMILY,        /* x86 */
	HOST_CPU_MODEL,         /* x86 */
	HOST_ISA,               /* words: the extensions that libraries for deep learning choose by */
	HOST_GOVERNOR,          /* text; several, joined by commas, where our CPUs differ */
	HOST_FREQUENCY_DRIVER,  /* text */
	HOST_MIN_MHZ,           /* what the hardware can do: slowest of our CPUs */
	HOST_MAX_MHZ,           /* fastest of our CPUs, boost included */
	HOST_BASE_MHZ,          /* fastest of our CPUs without boost */
	HOST_LIMIT_MHZ,         /* what the administrator lets the fastest of our CPUs do */
	HOST_CURRENT_MHZ,       /* first of our CPUs, this moment */
	HOST_BOOST,             /* 0 or 1 */
	HOST_SMT,               /* text: on, off, forceoff, notsupported, notimplemented */
	HOST_HUGE_PAGES,        /* text: always, madvise, never */
	HOST_HUGE_PAGES_DEFRAG, /* text: always, defer, defer+madvise, madvise, never */
	HOST_HUGETLB,           /* bytes kept in hugetlb pools; the pools are in struct host */
	HOST_NUMA_BALANCING,    /* 0 off; bit 0: pages follow accesses, bit 1: memory tiering */
	HOST_ZONE_RECLAIM,      /* 0 off, else a bit mask */
	HOST_SHARED_MEMORY,     /* bytes that /dev/shm may hold; absent: no tmpfs is there */
	HOST_SWAP,              /* bytes */
	HOST_SWAP_USED,         /* bytes */
	HOST_SWAPPINESS,
	HOST_OVERCOMMIT,      /* 0 heuristic, 1 always, 2 never */
	HOST_ISOLATED,        /* CPU list: isolcpus, the scheduler does not balance onto these */
	HOST_NOHZ_FULL,       /* CPU list */
	HOST_PARTITION,       /* text: our cpuset's partition: member, root, isolated; v1: shared, exclusive */
	HOST_PRESSURE_CPU,    /* 1/1000 percent of the last 10 s in which some task waited */
	HOST_PRESSURE_MEMORY, /* the same */
	HOST_PRESSURE_IO,     /* the same */
	HOST_STEAL,           /* 1/1000 percent of our CPUs' time since boot that the hypervisor took */
	HOST_STEAL_NOW,       /* the same during the sample; live only */
	HOST_LOAD_NOW,        /* 1/1000 percent of our CPUs' time others used during the sample; live only */
	HOST_PERF_PARANOID,   /* kernel.perf_event_paranoid; an int64_t, it may be negative */
	HOST_PTRACE_SCOPE,    /* kernel.yama.ptrace_scope */
	HOST_FACT_COUNT,
};

/* Pages of one size kept aside for hugetlb mappings. */
struct host_pool {
	uint64_t page_bytes;
	uint64_t pages, free_pages;
};

struct host {
	struct fact facts[HOST_FACT_COUNT]; /* of an unknown one `raw` is the reason, or the text not understood */
	struct host_pool *pools;            /* by page size */
	size_t pool_count;
};

/*
 * Read all facts below `root`; `pus_os` are the CPUs we may use. A file that is missing is absent on the
 * machine itself and below a root that is a whole capture, which is one that has
 * /proc/sys/kernel/osrelease; below any other root it may never have been saved, and is unknown.
 * With `sample_ms` the machine itself is also watched for that long (HOST_STEAL_NOW, HOST_LOAD_NOW).
 * Returns 0 and a host for host_free(), or -ENOMEM.
 */
int host_read(const struct sysroot *root, hwloc_const_bitmap_t pus_os, unsigned sample_ms, struct host **ret_host,
	      struct err *err);

/*
 * The same into machine->host, for the machine itself. A captured root has its facts from the reading of it, and of
 * any other source nothing is known: there it stays NULL. Returns 0, or -errno.
 */
int machine_read_host(struct machine *machine, unsigned sample_ms, struct err *err);

void host_free(struct host *host);
static inline void host_free_(struct host **host)
{
	host_free(*host);
}
#define cleanup_host cleanup_(host_free_)

/* What the document calls the fact. */
const char *host_fact_name(enum host_fact fact);

/* Add a known fact in words: its value with its unit, "on" or "off", its text. */
void host_fact_words(enum host_fact which, const struct fact *fact, struct text *text);

/*
 * The document's "host" object; what is unknown is null there and named in `unknown` (an array).
 * `host` NULL: a source that tells nothing of its host. NULL when memory ran out.
 */
json_t *host_to_json(const struct host *host, json_t *unknown);
