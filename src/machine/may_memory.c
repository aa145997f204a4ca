/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: where threads run and where memory lies. */
#include "machine/may_probe.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers of the kernel's ABI that older headers lack. */
enum { POLICY_PREFERRED_MANY = 5, POLICY_WEIGHTED_INTERLEAVE = 6 };

void may_try_bind_cpu(const struct may_scene *scene, struct may_answer *answer)
{
	if (!scene->cpu)
		may_none(answer, FACT_UNKNOWN, "no CPU to try it with");
	else if (syscall(SYS_sched_setaffinity, 0, scene->cpu_bytes, scene->cpu) < 0)
		may_no(answer, errno);
	else
		may_yes(answer);
}

bool may_policy_kept(int asked, int kept)
{
	/* Kernels before 5.14 keep MPOL_LOCAL as MPOL_PREFERRED of no node, and say so. */
	return kept == asked || (asked == MPOL_LOCAL && kept == MPOL_PREFERRED);
}

static void try_policy(const struct may_scene *scene, int mode, bool takes_nodes, struct may_answer *answer)
{
	int kept = -1;

	if (takes_nodes && !scene->node)
		may_none(answer, FACT_UNKNOWN, "no node to try it with");
	else if (syscall(SYS_set_mempolicy, mode, takes_nodes ? scene->node : NULL,
			 takes_nodes ? scene->node_count : 0) < 0)
		may_no(answer, errno);
	/* A sandbox may say yes and do nothing. */
	else if (syscall(SYS_get_mempolicy, &kept, NULL, 0, NULL, 0) == 0 && !may_policy_kept(mode, kept))
		may_no_because(answer, "accepted, and not kept");
	else
		may_yes(answer);
}

void may_try_bind_memory(const struct may_scene *scene, struct may_answer *answer)
{
	try_policy(scene, MPOL_BIND, true, answer);
}

void may_try_prefer_memory(const struct may_scene *scene, struct may_answer *answer)
{
	try_policy(scene, MPOL_PREFERRED, true, answer);
}

void may_try_prefer_many(const struct may_scene *scene, struct may_answer *answer)
{
	try_policy(scene, POLICY_PREFERRED_MANY, true, answer);
}

void may_try_interleave(const struct may_scene *scene, struct may_answer *answer)
{
	try_policy(scene, MPOL_INTERLEAVE, true, answer);
}

void may_try_weighted_interleave(const struct may_scene *scene, struct may_answer *answer)
{
	try_policy(scene, POLICY_WEIGHTED_INTERLEAVE, true, answer);
}

void may_try_local_memory(const struct may_scene *scene, struct may_answer *answer)
{
	try_policy(scene, MPOL_LOCAL, false, answer);
}

/* A page of our own that is really there; NULL: none was to be had. */
static void *own_page(size_t *ret_bytes)
{
	const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	*page = 1;
	*ret_bytes = bytes;
	return page;
}

void may_try_bind_range(const struct may_scene *scene, struct may_answer *answer)
{
	size_t bytes = 0;
	void *page = own_page(&bytes);

	if (!page || !scene->node)
		may_none(answer, FACT_UNKNOWN, "no page or node to try it with");
	else if (syscall(SYS_mbind, page, bytes, MPOL_BIND, scene->node, scene->node_count, MPOL_MF_MOVE) < 0)
		may_no(answer, errno);
	else
		may_yes(answer);
}

void may_try_move_pages(const struct may_scene *scene, struct may_answer *answer)
{
	size_t bytes = 0;
	void *page = own_page(&bytes);
	int status = 0;

	if (!page || !scene->node)
		may_none(answer, FACT_UNKNOWN, "no page or node to try it with");
	else if (syscall(SYS_move_pages, 0, 1UL, &page, &scene->node_os, &status, MPOL_MF_MOVE) < 0)
		may_no(answer, errno);
	else if (status < 0)
		may_no(answer, -status);
	else
		may_yes(answer);
}

void may_try_migrate_pages(const struct may_scene *scene, struct may_answer *answer)
{
	if (!scene->node)
		may_none(answer, FACT_UNKNOWN, "no node to try it with");
	else if (syscall(SYS_migrate_pages, 0, scene->node_count, scene->node, scene->node) < 0)
		may_no(answer, errno);
	else
		may_yes(answer);
}
