/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/framework_facts.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "joint/decide.h"
#include "joint/seen.h"
#include "target/framework.h"
#include "target/python.h"
#include "target/target.h"
#include "target/tree.h"

#include <string.h>

bool framework_may_be_there(const struct target *target)
{
	const char *name = tree_name(target->interpreter);

	return target->script || python_is(name) || strcmp(name, "env") == 0;
}

int framework_facts_find(char *const *words, struct decision *decision, struct err *err)
{
	cleanup_seen struct seen seen = SEEN_INIT;
	int r;

	if (decision->framework_looked_for || !decision->target || !framework_may_be_there(decision->target))
		return 0;
	decision->framework_looked_for = true;
	r = seen_init(decision, words, &seen, err);
	if (r == 0)
		r = framework_find(&seen.request, decision->cache_folder, &decision->framework, err);
	decision->workload.framework = decision->framework.name;
	decision->workload.hook.closed = decision->framework.closed;
	return r;
}
