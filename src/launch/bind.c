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

static int set_affinity(const unsigned long *words, size_t count)
{
	return syscall(SYS_sched_setaffinity, 0, count * sizeof(*words), words) < 0 ? -errno : 0;
}

/* The two masks need not be of one length. */
static bool all_granted(const struct bind_orders *orders, const struct bind_result *result)
{
	const size_t granted_words = result->granted_bytes / sizeof(*result->granted);

	for (size_t i = 0; i < orders->cpu_words || i < granted_words; i++) {
		const unsigned long asked = i < orders->cpu_words ? orders->cpus[i] : 0;

		if (asked != (i < granted_words ? result->granted[i] : 0))
			return false;
	}
	return true;
}

/*
 * Set, then ask what there is: the kernel cuts a mask down to the cpuset without a word, and after a
 * refusal the old mask is the one that counts. glibc's wrappers want a cpu_set_t and hide the length.
 */
static void bind_cpus(const struct bind_orders *orders, struct bind_result *result)
{
	long length;

	result->affinity_error = set_affinity(orders->cpus, orders->cpu_words);
	length = syscall(SYS_sched_getaffinity, 0, sizeof(result->granted), result->granted);
	result->granted_bytes = length < 0 ? 0 : (size_t)length;
	result->affinity_unmet = result->affinity_error || (result->granted_bytes && !all_granted(orders, result));
}

void bind_carry_out(const struct bind_orders *orders, struct bind_result *ret_result)
{
	ret_result->affinity_error = 0;
	ret_result->affinity_unmet = false;
	ret_result->granted_bytes = 0;
	if (orders->cpus)
		bind_cpus(orders, ret_result);
	/* After the CPUs: pages this thread touches meanwhile are few, and "local" then means the right node. */
	ret_result->memory_error =
		mempolicy_set(orders->memory, orders->nodes, orders->node_words, &ret_result->memory_node);
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

static int grant_nodes(const struct plan_instance *instance, const struct bind_result *result,
		       struct launch_grant *grant)
{
	if (instance->memory_policy == MEMORY_NONE || instance->memory_policy == MEMORY_LOCAL)
		return 0;
	grant->nodes_asked = hwloc_bitmap_dup(instance->nodes_os);
	if (!grant->nodes_asked)
		return -ENOMEM;
	if (result->memory_error)
		return 0;
	grant->nodes_granted = hwloc_bitmap_dup(instance->nodes_os);
	if (!grant->nodes_granted)
		return -ENOMEM;
	return result->memory_node < 0 ? 0 : hwloc_bitmap_only(grant->nodes_granted, (unsigned)result->memory_node);
}

int bind_grant(const struct plan_instance *instance, const struct bind_result *result, struct launch_grant *ret_grant,
	       struct err *err)
{
	cleanup_grant struct launch_grant grant = {
		.affinity_error = result->affinity_error,
		.affinity_unmet = result->affinity_unmet,
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
	if (grant_nodes(instance, result, &grant) < 0)
		return err_nomem(err);
	*ret_grant = grant;
	grant = (struct launch_grant){ .affinity_error = 0 };
	return 0;
}

void launch_grant_clear(struct launch_grant *grant)
{
	hwloc_bitmap_free(grant->affinity_asked);
	hwloc_bitmap_free(grant->affinity_granted);
	hwloc_bitmap_free(grant->nodes_asked);
	hwloc_bitmap_free(grant->nodes_granted);
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

int launch_unbind(const struct launch_grant *grant, hwloc_const_bitmap_t pus_os, struct err *err)
{
	cleanup_free unsigned long *words = NULL;
	size_t count;

	if (mask_words(pus_os, &words, &count) < 0)
		return err_nomem(err);
	/* Refused, or none of them is left: what the kernel gave us instead stays. */
	if (grant->affinity_asked)
		(void)set_affinity(words, count);
	if (grant->memory_granted != MEMORY_NONE)
		(void)mempolicy_reset();
	return 0;
}
