/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transparent huge pages, for allocators that can ask the kernel for them: PyTorch's here, glibc's malloc by its
 * tunable (allocator.c). Only when asked: on six networks neither gained anything.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "settings/rule.h"

#include <string.h>

static bool asked(const struct settings_input *in)
{
	return in->workload->request.huge_pages == HUGE_PAGES_MADVISE;
}

static bool torch_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return asked(in);
}

static void torch_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	(void)instance;
	text_add(value, "1");
}

static const struct setting_rule rules[] = {
	{ .name = "THP_MEM_ALLOC_ENABLE",
	  .applies = torch_applies,
	  .value = torch_value,
	  .option = "huge-pages",
	  .why = "PyTorch's allocator asks for huge pages under its tensors of 2 MiB and more (PyTorch, "
		 "c10/core/impl/alloc_cpu.cpp; no gain was measured)",
	  .risk = "memory is taken by 2 MiB at a time",
	  .asked = true },
};

static int huge_pages_refuse(const struct settings_input *in, struct err *err)
{
	const struct host *host = in->machine->host;
	const struct fact *mode = host ? &host->facts[HOST_HUGE_PAGES] : NULL;

	if (!asked(in) || !mode || mode->state == FACT_UNKNOWN)
		return 0;
	if (mode->state == FACT_ABSENT)
		return err_set(err, -EINVAL, "--huge-pages madvise: this kernel has no transparent huge pages");
	if (strcmp(mode->raw, "never") != 0)
		return 0;
	(void)err_set(err, -EINVAL, "--huge-pages madvise: the kernel gives none (%s: never)", mode->source);
	return err_hint(err, "possible: as root, echo madvise > %s", mode->source);
}

/* Where they come unasked the setting changes nothing. */
static int huge_pages_check(const struct settings_input *in)
{
	const struct host *host = in->machine->host;
	const struct fact *mode = host ? &host->facts[HOST_HUGE_PAGES] : NULL;

	if (!asked(in) || !mode || mode->state != FACT_KNOWN || strcmp(mode->raw, "always") != 0)
		return 0;
	return plan_note(&in->plan->reasons, "huge-pages", mode->source,
			 "the kernel gives huge pages without being asked: --huge-pages adds little");
}

const struct setting_family family_huge_pages = {
	.name = "huge-pages",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
	.check = huge_pages_check,
	.refuse = huge_pages_refuse,
};
