/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command line said, and the tables that read it. Tables are shared
 * between commands, so that a word means the same everywhere.
 */
#pragma once

#include "emit/emit.h"
#include "joint/ipexrun.h"
#include "joint/option.h"
#include "machine/narrow.h"
#include "plan/workload.h"

#include <stdbool.h>

struct layers;

/* How `run` supervises what it starts; NULL and 0: as by default. */
struct supervision {
	const char *fail; /* "stop", "keep", "restart[=N]" */
	const char *timeout;
	unsigned stagger_ms;
	const char *log_dir, *log_prefix;
	const char *collect; /* a regular expression */
	const char *report;
	bool verify;
	const char *require; /* ids with commas between; "": whatever matters */
};

/* How `prove` measures; NULL and 0: as by default. */
struct proving {
	const char *metric; /* a regular expression */
	bool rate;
	const char *budget; /* "10m" */
	const char *only;   /* families and advice, commas between */
	const char *samples;
};

struct options {
	/* everywhere */
	const char *machine;
	struct machine_narrow narrow;
	bool json, dry_run, quiet, verbose, help, version;
	const char *output;

	const char *svg; /* machine, plan */

	/* where something is planned */
	struct request request;
	struct option_texts set, unset, each, without;

	bool no_cache;       /* plan, run */
	const char *capture; /* machine */
	bool with_hostname;
	const char *why;    /* plan */
	const char *save;   /* plan, onednn */
	const char *folded; /* onednn */
	const char *keep;   /* onednn run */
	const char *peak;   /* onednn */
	unsigned top, capacity;
	bool has_emit; /* plan: --emit given */
	enum emit_kind emit;
	struct layers *layers; /* what the command line rests on (layers.h); NULL: nothing; owned */
	const char *plan_file; /* run */
	bool demo;             /* run */
	struct supervision supervision;
	struct proving prove;
	bool require;           /* doctor, inspect */
	bool all;               /* inspect */
	unsigned watch_s;       /* inspect; 0: look once */
	bool denormals;         /* inspect */
	bool list;              /* completion */
	struct ipexrun ipexrun; /* ipexrun, run_cpu */
};

extern const struct option_table machine_options;     /* which machine, and what of it */
extern const struct option_table capture_options;     /* --capture */
extern const struct option_table common_options;      /* --json, --output, -q ... */
extern const struct option_table picture_options;     /* --svg */
extern const struct option_table planning_options;    /* the request */
extern const struct option_table instance_options;    /* --instance, --each */
extern const struct option_table supervision_options; /* --fail, --timeout ... */
extern const struct option_table verifying_options;   /* --verify, --require, --report */
extern const struct option_table cache_options;       /* --no-cache */
extern const struct option_table settings_options;    /* --set, --unset, --no */
extern const struct option_table purpose_options;     /* --for, --profile */
extern const struct option_table help_options;        /* -h */
extern const struct option_table version_options;     /* -V, -h */

/* The wishes in the form the pure steps take; borrows from `options`. */
struct wishes options_wishes(const struct options *options);

/* Is the run to be looked at and judged? */
bool options_watch(const struct options *options);

void options_clear(struct options *options);
#define cleanup_options cleanup_(options_clear)
