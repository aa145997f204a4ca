/* SPDX-License-Identifier: Apache-2.0 */
#include "emit/emit.h"

#include "base/err.h"
#include "base/text.h"
#include "base/utf8.h"
#include "emit/form.h"

#include <string.h>

const char *const emit_words[EMIT_COUNT] = {
	[EMIT_SHELL] = "shell",       [EMIT_NUMACTL] = "numactl", [EMIT_TASKSET] = "taskset",
	[EMIT_DOCKER] = "docker",     [EMIT_COMPOSE] = "compose", [EMIT_KUBERNETES] = "kubernetes",
	[EMIT_SLURM] = "slurm",       [EMIT_SYSTEMD] = "systemd", [EMIT_OPENMPI] = "openmpi",
	[EMIT_TORCHRUN] = "torchrun",
};

static const struct form *const forms[EMIT_COUNT] = {
	[EMIT_SHELL] = &form_shell,       [EMIT_NUMACTL] = &form_numactl, [EMIT_TASKSET] = &form_taskset,
	[EMIT_DOCKER] = &form_docker,     [EMIT_COMPOSE] = &form_compose, [EMIT_KUBERNETES] = &form_kubernetes,
	[EMIT_SLURM] = &form_slurm,       [EMIT_SYSTEMD] = &form_systemd, [EMIT_OPENMPI] = &form_openmpi,
	[EMIT_TORCHRUN] = &form_torchrun,
};

/* Characters that a name may have: of C, of a pod's variable (Kubernetes API, EnvVar). None begins with a digit. */
static bool name_fits(enum form_names names, const char *name)
{
	static const char identifier[] = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	if (names == NAMES_ANY)
		return true;
	if (*name >= '0' && *name <= '9')
		return false;
	while (*name && (strchr(identifier, *name) || (names == NAMES_KUBERNETES && strchr("-.", *name))))
		name++;
	return !*name;
}

static int check_variable(const struct form *form, const struct variable *variable, struct err *err)
{
	if (!name_fits(form->names, variable->name))
		return err_set(err, -EINVAL, "%s cannot have a variable called '%s'", form->tool, variable->name);
	if (form->utf8 && (!utf8_valid(variable->name) || (variable->value && !utf8_valid(variable->value))))
		return err_set(err, -EINVAL, "%s takes UTF-8 only, and variable '%s' is not", form->tool,
			       variable->name);
	return 0;
}

static int check(const struct form *form, const struct emit_input *in, struct err *err)
{
	struct variable variable;

	if (form->program && !in->words[0]) {
		(void)err_set(err, -EINVAL, "%s names the program that it starts, and none is given", form->tool);
		return err_hint(err, "put it behind '--'");
	}
	for (size_t i = 0; form->utf8 && in->words[i]; i++) {
		if (!utf8_valid(in->words[i]))
			return err_set(err, -EINVAL, "%s takes UTF-8 only, and word %zu of the program is not",
				       form->tool, i + 1);
	}
	for (size_t i = form_first(in); i < form_end(in); i++) {
		for (size_t at = 0; variable_next(in, &in->plan->instances[i], &at, &variable);) {
			const int r = check_variable(form, &variable, err);

			if (r < 0)
				return r;
		}
	}
	return form->refuse ? form->refuse(in, err) : 0;
}

int emit_form(const struct emit_input *in, enum emit_kind kind, struct text *text, struct err *err)
{
	int r = check(forms[kind], in, err);

	if (r < 0)
		return err_wrap(err, "cannot emit %s", emit_words[kind]);
	forms[kind]->write(in, text);
	return text->failed ? err_nomem(err) : 0;
}
