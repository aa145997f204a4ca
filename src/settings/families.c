/* SPDX-License-Identifier: Apache-2.0 */
#include "settings/rule.h"

#include <string.h>

const struct setting_family *const setting_families[] = { &family_openmp,
							  &family_pools,
							  &family_allocator,
							  &family_affinity,
							  &family_memory,
							  &family_agent,
							  &family_preload,
							  &family_denormal,
							  &family_onednn,
							  &family_huge_pages,
							  &family_mkl,
							  &family_pytorch,
							  NULL };

const char family_user[] = "user";
const char family_record[] = "record";

static bool rule_is_named(const struct setting_rule *rule, const char *name)
{
	bool named = strcmp(rule->name, name) == 0;

	for (size_t i = 0; rule->older[i] && !named; i++)
		named = strcmp(rule->older[i], name) == 0;
	return named;
}

const struct setting_rule *setting_rule_find(const char *name)
{
	for (const struct setting_family *const *family = setting_families; *family; family++) {
		for (size_t i = 0; i < (*family)->rule_count; i++) {
			if (rule_is_named(&(*family)->rules[i], name))
				return &(*family)->rules[i];
		}
	}
	return NULL;
}
