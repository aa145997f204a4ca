/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans that a person can check by eye: tables of a machine, a request and what is due. A plan is written as one line:
 * "PUS threads pin policy:nodes" for each instance, " | " between them.
 */
#pragma once

#include "base/err.h"
#include "machine/machine.h"
#include "machine/narrow.h"
#include "plan/plan.h"

/* Two packages of four cores with two threads, adjacent: cores are 0,1 2,3 4,5 6,7 and so on. */
#define TWO_BY_FOUR   "synthetic:pack:2 [numa(memory=8GB)] l3:1 core:4 pu:2"
#define THREE_BY_FIVE "synthetic:pack:3 [numa(memory=8GB)] core:5 pu:1"
#define ONE_NODE      "synthetic:pack:1 [numa(memory=8GB)] l3:1 core:8 pu:1"
#define FOUR_L3       "synthetic:pack:1 [numa(memory=8GB)] l3:4 core:4 pu:1"
#define FOUR_NODES    "synthetic:pack:2 die:2 [numa(memory=8GB)] core:4 pu:1"
#define THREE_L3      "synthetic:pack:1 [numa(memory=8GB)] l3:3 core:4 pu:1"
#define PAIRS_L2      "synthetic:pack:1 [numa(memory=8GB)] l2:4 core:2 pu:1"

/* Two large cores with two threads, four small ones. */
#define HYBRID "/machines/hybrid.xml" /* in tests/data */

/* Node 0 with CPUs 0-1 and memory, node 1 with CPUs 2-3 alone, node 4 with memory alone, nearest to node 1. */
#define ODD_NODES "/machines/memory-only-node.xml"

extern const char *const no_environment[];

struct row {
	const char *spec;
	struct machine_narrow narrow;
	struct request request;
	const char *environment;
	const char *due;
};

/* The machine, to be freed by the caller; fails the test when it cannot be read. */
struct machine *read_machine(const char *spec, const struct machine_narrow *narrow);

/* Plan; NULL and `err` filled when it is refused. A spec that starts with '/' is a file of tests/data. */
struct plan *make(const char *spec, const struct machine_narrow *narrow, const struct request *request,
		  const char *const *environment, struct err *err);

/* Fail unless each row's plan is what is due. */
void expect(const struct row *rows, size_t count);
