/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/seen.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "joint/decide.h"
#include "settings/rule.h"
#include "settings/user.h"
#include "target/target.h"

#include <string.h>

/* Does something below say what this variable is? */
static bool is_decided(const struct wishes *wishes, const char *entry)
{
	cleanup_free char *name = strndup(entry, strcspn(entry, "="));

	return name && (strcmp(name, "LD_PRELOAD") == 0 || wishes_set(wishes, name) || wishes_unset(wishes, name));
}

static int make_environment(const struct decision *decision, struct seen *seen)
{
	const struct workload *workload = &decision->workload;
	const struct wishes *wishes = &workload->wishes;
	const struct settings_input in = { .machine = decision->machine, .workload = workload, .plan = decision->plan };
	size_t entries = 0, count = 0;

	while (workload->environment && workload->environment[entries])
		entries++;
	seen->environment = calloc(entries + wishes->set_count + 2, sizeof(*seen->environment));
	text_add(&seen->preload, "LD_PRELOAD=");
	settings_users_part(&in, "LD_PRELOAD", &seen->preload);
	if (!seen->environment || seen->preload.failed)
		return -ENOMEM;
	for (size_t i = 0; i < entries; i++) {
		if (!is_decided(wishes, workload->environment[i]))
			seen->environment[count++] = workload->environment[i];
	}
	for (size_t i = wishes->set_count; i-- > 0;) /* the last counts, and readers take the first */
		seen->environment[count++] = wishes->set[i];
	seen->environment[count++] = seen->preload.data;
	return 0;
}

int seen_init(const struct decision *decision, char *const *words, struct seen *seen, struct err *err)
{
	const struct target *target = decision->target;

	if (make_environment(decision, seen) < 0)
		return err_nomem(err);
	seen->folder = getcwd(NULL, 0);
	seen->request = (struct libraries_request){
		.root = &seen->root,
		.program = target ? target->path : NULL,
		.secure = target && target->set_id,
		.argv = target ? words : NULL,
		.environment = seen->environment,
		.folder = seen->folder ? seen->folder : "/",
	};
	return sysroot_open(&seen->root, "/", err);
}

void seen_clear(struct seen *seen)
{
	sysroot_close(&seen->root);
	text_clear(&seen->preload);
	free(seen->environment);
	free(seen->folder);
}
