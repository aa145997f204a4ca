/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the OpenMP family share: openmp.c has its table, openmp_binding.c says where threads run,
 * openmp_wait.c what idle ones do. Checks return 0 or -ENOMEM.
 */
#pragma once

#include <stdbool.h>

struct err;
struct plan_instance;
struct settings_input;
struct text;

/* The most threads a process of the plan will ask its runtime for: a user's OMP_NUM_THREADS stays. */
unsigned openmp_most_threads(const struct settings_input *in);

/* ---- openmp_binding.c: which of our variables pins threads depends on the runtime in charge ---- */

bool openmp_places_apply(const struct settings_input *in, const struct plan_instance *instance);
void openmp_places_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value);
bool openmp_proc_bind_applies(const struct settings_input *in, const struct plan_instance *instance);
void openmp_proc_bind_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value);
bool openmp_proclist_applies(const struct settings_input *in, const struct plan_instance *instance);
void openmp_proclist_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value);

/* Rows that only show what the user set. */
bool openmp_pins_threads(const struct settings_input *in, const struct plan_instance *instance);
bool openmp_kmp_affinity_shows(const struct settings_input *in, const struct plan_instance *instance);
bool openmp_standard_shows(const struct settings_input *in, const struct plan_instance *instance);
bool openmp_subset_shows(const struct settings_input *in, const struct plan_instance *instance);

int openmp_check_binding(const struct settings_input *in);

/* ---- openmp_wait.c ---- */

bool openmp_wait_applies(const struct settings_input *in, const struct plan_instance *instance);
void openmp_wait_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value);
bool openmp_spincount_applies(const struct settings_input *in, const struct plan_instance *instance);
void openmp_spincount_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value);
bool openmp_blocktime_applies(const struct settings_input *in, const struct plan_instance *instance);
void openmp_blocktime_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value);
void openmp_blocktime_explain(const struct settings_input *in, struct text *why);
bool openmp_schedule_applies(const struct settings_input *in, const struct plan_instance *instance);
void openmp_schedule_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value);

int openmp_check_wait(const struct settings_input *in);

/* ---- openmp_runtime.c: who is in charge ---- */

/* A runtime that was asked for and cannot be given: -EINVAL in words. */
int openmp_refuse_runtime(const struct settings_input *in, struct err *err);

int openmp_check_runtime(const struct settings_input *in);
