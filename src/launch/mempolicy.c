/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/mempolicy.h"

#include <errno.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	WORD_BITS = sizeof(unsigned long) * CHAR_BIT,
	NODES_MAX = 1024, /* Linux has no more (NODES_SHIFT is at most 10) */
};

struct mode {
	bool calls;       /* there is something to ask the kernel for */
	bool takes_nodes; /* the mode has a node mask; false: it must be empty */
	int one;          /* the mode for one node, or for none */
	int many;         /* the mode for several */
};

static const struct mode modes[MEMORY_POLICY_COUNT] = {
	[MEMORY_LOCAL] = { .calls = true, .one = MPOL_LOCAL },
	[MEMORY_BIND] = { true, true, MPOL_BIND, MPOL_BIND },
	[MEMORY_PREFERRED] = { true, true, MPOL_PREFERRED, MPOL_PREFERRED_MANY },
	[MEMORY_INTERLEAVE] = { true, true, MPOL_INTERLEAVE, MPOL_INTERLEAVE },
};

/*
 * The kernel counts the bits it reads as one less than `maxnode`, since its first version of the call;
 * so maxnode is the number of bits plus one, or the mask's highest bit would be ignored in silence.
 */
static int set_mempolicy_(int mode, const unsigned long *nodes, size_t words)
{
	const unsigned long maxnode = words ? words * WORD_BITS + 1 : 0;

	return syscall(SYS_set_mempolicy, mode, words ? nodes : NULL, maxnode) < 0 ? -errno : 0;
}

static unsigned count_bits(const unsigned long *mask, size_t words)
{
	unsigned count = 0;

	for (size_t i = 0; i < words; i++)
		count += (unsigned)__builtin_popcountl(mask[i]);
	return count;
}

/* The lowest of them that we may use. */
static int prefer_one(const unsigned long *nodes, size_t words, int *ret_node)
{
	unsigned long one[NODES_MAX / WORD_BITS] = { 0 };
	int r = -EINVAL;

	for (size_t os = 0; r == -EINVAL && os < words * WORD_BITS && os < NODES_MAX; os++) {
		const unsigned long bit = 1UL << os % WORD_BITS;

		if (!(nodes[os / WORD_BITS] & bit))
			continue;
		one[os / WORD_BITS] = bit;
		r = set_mempolicy_(MPOL_PREFERRED, one, os / WORD_BITS + 1);
		one[os / WORD_BITS] = 0;
		if (r == 0)
			*ret_node = (int)os;
	}
	return r;
}

int mempolicy_reset(void)
{
	return set_mempolicy_(MPOL_DEFAULT, NULL, 0);
}

int mempolicy_set(enum memory_policy policy, const unsigned long *nodes, size_t words, int *ret_node)
{
	const struct mode *mode = &modes[policy];
	unsigned count;
	int r;

	*ret_node = -1;
	if (!mode->calls)
		return 0;
	if (!mode->takes_nodes)
		return set_mempolicy_(mode->one, NULL, 0);
	count = count_bits(nodes, words);
	if (!count)
		return -EINVAL; /* no preferred node would mean "local" to the kernel: not what was asked */
	r = set_mempolicy_(count > 1 ? mode->many : mode->one, nodes, words);
	/* Linux before 5.15 knows one preferred node only. We say which, so that we know. */
	if (r == -EINVAL && count > 1 && mode->many == MPOL_PREFERRED_MANY)
		r = prefer_one(nodes, words, ret_node);
	return r;
}
