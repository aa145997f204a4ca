/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of pool_make().
 */
#pragma once

#include "plan/pool.h"

/* allowed ∩ --cpus ∩ CPUs of --nodes ∩ CPUs of --packages, into pool->pus_os and pool->nodes_os. -EINVAL: see
 * pool_make(). */
int pool_narrow(struct pool *pool, const struct request *request, struct plan *plan, struct err *err);

/*
 * Put the cores in order: area by area, domain by domain, within one the most powerful first, L3 by L3, topology order
 * inside. Number their groups and describe the domains. -EINVAL when there is nothing of what --per names.
 */
int pool_group(struct pool *pool, struct err *err);
