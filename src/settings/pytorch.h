/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done inside PyTorch, by a hook that Python loads at its start. It is brought by PYTHONPATH and told by
 * FETTLE_PLAN, and there is nothing of it where the program is no Python with PyTorch beside it, and starts none.
 */
#pragma once

#include <stdbool.h>

struct plan_instance;
struct settings;
struct settings_input;
struct text;
struct workload;

/* The last part of the hook's folder, by which an outer fettle's is known. */
#define PYTORCH_HOOK_FOLDER "fettle-python"

/* Does the request leave anything for the hook to do, if PyTorch is there? */
bool pytorch_may_be_wanted(const struct workload *workload);

/* The same, now that the framework is known: is it there, or does an option ask for the hook whatever is there? */
bool pytorch_is_wanted(const struct workload *workload);

/* Append the field of FETTLE_PLAN with its ';' that tells the hook what to do; nothing where there is no hook. */
void pytorch_record(const struct settings_input *in, const struct settings *settings,
		    const struct plan_instance *instance, struct text *record);
