/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit for one instance; for several a script that writes their units, since a unit's settings are those of one
 * process (systemd.exec(5), CPUAffinity=, NUMAPolicy=).
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "base/utf8.h"
#include "emit/form.h"
#include "emit/memory.h"

#include <inttypes.h>
#include <string.h>

/* The file to execute, absolute where it is known; NULL: out of memory. */
static char *program_path(const struct emit_input *in)
{
	cleanup_text struct text path = TEXT_INIT;
	const char *given = in->path ? in->path : in->words[0];

	if (strchr(given, '/') && *given != '/' && in->path && in->folder)
		text_add(&path, "%s/", in->folder);
	text_add(&path, "%s", given);
	return text_take(&path);
}

/* What systemd's string_is_safe() lets through, without '%' needing more than doubling. */
static bool path_fits(const char *path)
{
	for (const char *c = path; *c; c++) {
		if ((unsigned char)*c < 0x20 || strchr("\\\"'\x7f", *c))
			return false;
	}
	return utf8_valid(path);
}

static int refuse_control(const struct emit_input *in, const struct plan_instance *instance, struct err *err)
{
	struct variable variable;

	for (size_t at = 0; variable_next(in, instance, &at, &variable);) {
		for (const char *c = variable.value; c && *c; c++) {
			if (((unsigned char)*c < 0x20 && *c != '\t' && *c != '\n') || *c == 0x7f)
				return err_set(err, -EINVAL,
					       "a unit takes no control characters but tab and newline, and variable "
					       "'%s' has one",
					       variable.name);
		}
	}
	return 0;
}

static int refuse(const struct emit_input *in, struct err *err)
{
	cleanup_free char *path = program_path(in);

	if (!path)
		return err_nomem(err);
	if (strchr(path, '/') && *path != '/')
		return err_set(err, -EINVAL, "a unit needs the program's absolute path, and '%s' is relative", path);
	if (!path_fits(path))
		return err_set(err, -EINVAL,
			       "a unit cannot name '%s': a quote, a backslash, a control character, or not UTF-8",
			       path);
	if (in->path && in->folder && (!path_fits(in->folder) || in->folder[strlen(in->folder) - 1] == ' '))
		return err_set(err, -EINVAL, "a unit cannot have the folder '%s'", in->folder);
	for (size_t i = form_first(in); i < form_end(in); i++) {
		const int r = refuse_control(in, &in->plan->instances[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A word in double quotes (systemd.syntax(7), Quoting), specifiers and, in command lines, variables taken out. */
static void add_word(const char *word, bool command_line, struct text *text)
{
	text_add(text, "\"");
	for (; *word; word++) {
		const unsigned char c = (unsigned char)*word;

		if (c == '"' || c == '\\')
			text_add(text, "\\%c", c);
		else if (c == '%' || (c == '$' && command_line))
			text_add(text, "%c%c", c, c);
		else if (c < 0x20 || c == 0x7f)
			text_add(text, "\\x%02x", c);
		else
			text_add_bytes(text, word, 1);
	}
	text_add(text, "\"");
}

static void add_plain(const char *value, struct text *text)
{
	for (; *value; value++)
		text_add(text, "%s%c", *value == '%' ? "%" : "", *value);
}

static void add_exec(const struct emit_input *in, struct text *text)
{
	cleanup_free char *path = program_path(in);
	cleanup_text struct text file = TEXT_INIT;

	if (!path) {
		text->failed = true;
		return;
	}
	/* "@": the word behind it is what the program sees as its own name. */
	text_add(&file, "@%s", path);
	text_add(text, "ExecStart=");
	add_word(file.data ? file.data : "", false, text);
	for (char *const *word = in->words; *word; word++) {
		text_add(text, " ");
		add_word(*word, true, text);
	}
	text_add(text, "\n");
	text->failed |= file.failed;
}

/* systemd's "preferred" takes one node; of several the first, as on kernels that know no more. */
static void add_memory(const struct plan_instance *instance, struct text *text)
{
	const enum memory_policy policy = instance->memory_policy;

	if (policy == MEMORY_NONE)
		return;
	text_add(text, "NUMAPolicy=%s\n", memory_policy_words[policy]);
	if (policy == MEMORY_PREFERRED) {
		text_add(text, "NUMAMask=%d\n", hwloc_bitmap_first(instance->nodes_os));
	} else if (memory_policy_takes_nodes(policy)) {
		text_add(text, "NUMAMask=");
		form_list(text, instance->nodes_os);
		text_add(text, "\n");
	}
}

static void add_environment(const struct emit_input *in, const struct plan_instance *instance, struct text *text)
{
	struct variable variable;

	for (size_t at = 0; variable_next(in, instance, &at, &variable);) {
		cleanup_text struct text assignment = TEXT_INIT;

		if (!variable.value) {
			text_add(text, "UnsetEnvironment=%s\n", variable.name);
			continue;
		}
		text_add(&assignment, "%s=%s", variable.name, variable.value);
		text_add(text, "Environment=");
		add_word(assignment.data ? assignment.data : "", false, text);
		text_add(text, "\n");
		text->failed |= assignment.failed;
	}
}

static void add_limits(const struct emit_input *in, const struct plan_instance *instance, struct text *text)
{
	uint64_t quota_milli, memory_bytes;

	if (form_quota(in, instance, &quota_milli) && quota_milli >= 10)
		text_add(text, "CPUQuota=%" PRIu64 "%%\n", quota_milli / 10);
	if (form_memory_limit(in, &memory_bytes))
		text_add(text, "MemoryMax=%" PRIu64 "\n", memory_bytes);
}

static void add_unit(const struct emit_input *in, const struct plan_instance *instance, bool several, struct text *text)
{
	comment_instance(instance, "", text);
	text_add(text, "[Unit]\nDescription=Instance %u of %zu, placed by fettle\n", instance->index,
		 in->plan->instance_count);
	if (several)
		text_add(text, "PartOf=fettle.target\n");
	text_add(text, "\n[Service]\nType=exec\n");
	add_exec(in, text);
	if (in->path && in->folder) {
		text_add(text, "WorkingDirectory=");
		add_plain(in->folder, text);
		text_add(text, "\n");
	}
	if (instance->pin != PIN_NONE) {
		text_add(text, "CPUAffinity=");
		form_list(text, instance->mask_os);
		text_add(text, "\n");
	}
	add_memory(instance, text);
	add_limits(in, instance, text);
	add_environment(in, instance, text);
	text_add(text, "\n[Install]\nWantedBy=%s\n", several ? "fettle.target" : "multi-user.target");
}

/* No line of a unit is the word that ends a here-document: each has a '=', a '[' or a '#'. */
static void add_script(const struct emit_input *in, struct text *text)
{
	const size_t first = form_first(in), end = form_end(in);

	comment_add(text, "", "Usage: sh FILE [folder], as root; then systemctl start fettle.target");
	text_add(text, "set -eu\nfolder=${1:-/etc/systemd/system}\n\n");
	for (size_t i = first; i < end; i++) {
		text_add(text, "cat >\"$folder/fettle-%zu.service\" <<'END'\n", i);
		add_unit(in, &in->plan->instances[i], true, text);
		text_add(text, "END\n\n");
	}
	text_add(text,
		 "cat >\"$folder/fettle.target\" <<'END'\n[Unit]\nDescription=All instances placed by fettle\nWants=");
	for (size_t i = first; i < end; i++)
		text_add(text, "%sfettle-%zu.service", i > first ? " " : "", i);
	text_add(text, "\n\n[Install]\nWantedBy=multi-user.target\nEND\n");
}

static void write_form(const struct emit_input *in, struct text *text)
{
	const size_t first = form_first(in);
	const bool several = form_end(in) - first > 1;

	if (several)
		text_add(text, "#!/bin/sh\n");
	comment_header(in, EMIT_SYSTEMD, &form_systemd, text);
	if (several) {
		add_script(in, text);
		return;
	}
	comment_add(text, "", "Usage: as /etc/systemd/system/NAME.service, then systemctl start NAME");
	add_unit(in, &in->plan->instances[first], false, text);
}

const struct form form_systemd = {
	.summary = "a unit for each instance",
	.tool = "a unit",
	.utf8 = true,
	.program = true,
	.names = NAMES_IDENTIFIER,
	.refuse = refuse,
	.write = write_form,
};
