/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/framework_facts.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "joint/decide.h"
#include "joint/seen.h"
#include "target/framework.h"
#include "target/python.h"
#include "target/starter.h"
#include "target/target.h"
#include "target/tree.h"

#include <string.h>

bool framework_may_be_there(const struct target *target, char *const *words)
{
	const char *name = tree_name(target->interpreter);

	return target->script || python_is(name) || strcmp(name, "env") == 0 || starter_python(words);
}

static int find(char *const *words, struct decision *decision, struct err *err)
{
	cleanup_seen struct seen seen = SEEN_INIT;
	int r = seen_init(decision, words, &seen, err);

	if (r == 0)
		r = framework_find(&seen.request, decision->cache_folder, &decision->framework, err);
	return r;
}

/*
 * Its name where what it starts may be a Python with PyTorch, of which nothing is known here. Any Python and any script
 * may start one; where the program itself would see PYTHONPATH and run nothing of it, it is left as it is.
 */
static const char *find_starter(const struct target *target, char *const *words, const char *closed)
{
	const char *name = starter_name(target->interpreter, words);

	if (!name && !closed && (target->script || python_is(tree_name(target->interpreter))))
		name = words[0] ? tree_name(words[0]) : NULL;
	return name;
}

int framework_facts_find(char *const *words, struct decision *decision, struct err *err)
{
	const struct target *target = decision->target;
	struct workload *workload = &decision->workload;
	int r = 0;

	if (decision->framework_looked_for || !target)
		return 0;
	decision->framework_looked_for = true;
	if (framework_may_be_there(target, words))
		r = find(words, decision, err);
	workload->framework = decision->framework.name;
	if (!workload->framework)
		workload->starter = find_starter(target, words, decision->framework.closed);
	/* The options are those of its own Python, if it has one. */
	workload->hook.closed = workload->starter ? NULL : decision->framework.closed;
	return r;
}
