/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Denormal numbers as zero: the guide's torch.set_flush_denormal(True), for every thread of a program that does not
 * call it.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "settings/agent.h"
#include "settings/rule.h"

const char setting_flush[] = "flush-denormals";

static bool flush_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return in->workload->request.flush_denormals;
}

static void flush_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	(void)instance;
	text_add(value, "on");
}

static const struct setting_rule rules[] = {
	{ .name = setting_flush,
	  .applies = flush_applies,
	  .value = flush_value,
	  .option = "flush-denormals",
	  .why = "results too small for a normal number become zero, in hardware: processors that compute denormals in "
		 "microcode are slow at it (guide, Denormal Number; Intel SDM volume 1, 10.2.3.3)",
	  .risk = "numbers change, doubles too: 5e-324 prints as 0.0; a program that sets the control word itself wins",
	  .changes_numbers = NUMBERS_CHANGED,
	  .system_call = true,
	  .asked = true },
};

/* Asked for, and only the agent can do it: running on without it would compute other numbers than asked. */
static int flush_refuse(const struct settings_input *in, struct err *err)
{
	const char *reason = in->workload->request.flush_denormals ? agent_refused(in) : NULL;

	if (!reason)
		return 0;
	(void)err_set(err, -EINVAL, "--flush-denormals: %s, and only fettle's agent inside it can flush", reason);
	return err_hint(err, "possible: the program's own switch, as torch.set_flush_denormal(True) before any thread");
}

const struct setting_family family_denormal = {
	.name = "denormal",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
	.refuse = flush_refuse,
};
