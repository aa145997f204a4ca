/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/bind.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "launch/mempolicy.h"
#include "plan/plan.h"

#include <sys/syscall.h>

/* An empty set, and one without end, become no words: the kernel refuses that with EINVAL, and so it is told. */
static int mask_words(hwloc_const_bitmap_t set, unsigned long **ret_words, size_t *ret_count)
{
	const int last = hwloc_bitmap_last(set);
	const size_t count = last < 0 ? 0 : (size_t)last / BIND_WORD_BITS + 1;
	unsigned long *words = calloc(count + 1, sizeof(*words)); /* + 1: never NULL for "nothing" */

	if (!words)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		words[i] = hwloc_bitmap_to_ith_ulong(set, (unsigned)i);
	*ret_words = words;
	*ret_count = count;
	return 0;
}

int bind_prepare(const struct plan_instance *instance, struct bind_orders *ret_orders, struct err *err)
{
	cleanup_orders struct bind_orders orders = { .memory = instance->memory_policy };

	if (instance->pin != PIN_NONE && mask_words(instance->mask_os, &orders.cpus, &orders.cpu_words) < 0)
		return err_nomem(err);
	if (mask_words(instance->nodes_os, &orders.nodes, &orders.node_words) < 0)
		return err_nomem(err);
	*ret_orders = orders;
	orders = (struct bind_orders){ .cpus = NULL };
	return 0;
}

void bind_orders_clear(struct bind_orders *orders)
{
	free(orders->cpus);
	free(orders->nodes);
	*orders = (struct bind_orders){ .cpus = NULL };
}

/*
 * Set, then ask what there is: the kernel cuts a mask down to the cpuset without a word, and after a
 * refusal the old mask is the one that counts. glibc's wrappers want a cpu_set_t and hide the length.
 */
static void bind_cpus(const struct bind_orders *orders, struct bind_result *result)
{
	long length;

	if (syscall(SYS_sched_setaffinity, 0, orders->cpu_words * sizeof(*orders->cpus), orders->cpus) < 0)
		result->affinity_error = -errno;
	length = syscall(SYS_sched_getaffinity, 0, sizeof(result->granted), result->granted);
	result->granted_bytes = length < 0 ? 0 : (size_t)length;
}

void bind_carry_out(const struct bind_orders *orders, struct bind_result *ret_result)
{
	ret_result->affinity_error = 0;
	ret_result->granted_bytes = 0;
	if (orders->cpus)
		bind_cpus(orders, ret_result);
	/* After the CPUs: pages this thread touches meanwhile are few, and "local" then means the right node. */
	ret_result->memory_error = mempolicy_set(orders->memory, orders->nodes, orders->node_words);
}

static hwloc_bitmap_t granted_bitmap(const struct bind_result *result)
{
	cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();

	if (!set)
		return NULL;
	for (size_t i = 0; i < result->granted_bytes / sizeof(*result->granted); i++) {
		if (result->granted[i] && hwloc_bitmap_set_ith_ulong(set, (unsigned)i, result->granted[i]) < 0)
			return NULL;
	}
	return TAKE(set);
}

int bind_grant(const struct plan_instance *instance, const struct bind_result *result, struct launch_grant *ret_grant,
	       struct err *err)
{
	cleanup_grant struct launch_grant grant = {
		.affinity_error = result->affinity_error,
		.memory_error = result->memory_error,
		.memory_asked = instance->memory_policy,
		.memory_granted = result->memory_error ? MEMORY_NONE : instance->memory_policy,
	};

	if (instance->pin != PIN_NONE) {
		grant.affinity_asked = hwloc_bitmap_dup(instance->mask_os);
		if (!grant.affinity_asked)
			return err_nomem(err);
	}
	if (result->granted_bytes) {
		grant.affinity_granted = granted_bitmap(result);
		if (!grant.affinity_granted)
			return err_nomem(err);
	}
	*ret_grant = grant;
	grant = (struct launch_grant){ .affinity_error = 0 };
	return 0;
}

void launch_grant_clear(struct launch_grant *grant)
{
	hwloc_bitmap_free(grant->affinity_asked);
	hwloc_bitmap_free(grant->affinity_granted);
	*grant = (struct launch_grant){ .affinity_error = 0 };
}

int launch_bind(const struct plan_instance *instance, struct launch_grant *ret_grant, struct err *err)
{
	cleanup_orders struct bind_orders orders = { .cpus = NULL };
	struct bind_result result;
	int r = bind_prepare(instance, &orders, err);

	if (r < 0)
		return r;
	bind_carry_out(&orders, &result);
	return bind_grant(instance, &result, ret_grant, err);
}
