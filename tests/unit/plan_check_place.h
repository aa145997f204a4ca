/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds a plan against what the options that choose places promise; see plan_check.h.
 */
#pragma once

struct machine;
struct plan;
struct request;

const char *plan_check_place(const struct machine *machine, const struct request *request, const struct plan *plan);
