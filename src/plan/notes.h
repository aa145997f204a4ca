/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentences a plan carries: reasons and warnings (plan_note() is in plan.h).
 */
#pragma once

#include "plan/plan.h"

void plan_notes_clear(struct plan_notes *notes);
