/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PyTorch as it comes packs the weights of a layer for oneDNN at every call. The hook has them packed once, with the
 * operators that TorchInductor uses, where that is seen to be right and faster (python/).
 *
 * PYTHONPATH is shared with the user: our folder stands first and what the user has behind it. The hook shows the
 * program the user's own again, so it must be told an empty variable from one that is not set: then the folder stands
 * twice.
 */
#include "settings/pytorch.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "settings/rule.h"
#include "settings/user.h"

#include <inttypes.h>
#include <string.h>

static const char path_variable[] = "PYTHONPATH";
static const char prepack_row[] = "prepack";
static const char channels_last_row[] = "channels-last";
static const char fuse_row[] = "fuse";
static const char precision_row[] = "precision";

enum { MEMORY_PART = 4 }; /* packed weights may take this part of a process's memory limit */

/* ---- Whether ---- */

/* Is another precision asked for than the program's own? */
static bool is_lowered(const struct request *request)
{
	return request->precision > PRECISION_F32;
}

/* The option that asks for the hook, with its word; NULL: none does. */
static const char *asked_by(const struct request *request)
{
	if (request->prepack == CHOICE_ON)
		return "--prepack on";
	if (request->channels_last == CHOICE_ON)
		return "--channels-last on";
	if (is_lowered(request))
		return request->precision == PRECISION_BF16 ? "--precision bf16" : "--precision tf32-like";
	return request->fuse == CHOICE_ON ? "--fuse on" : NULL;
}

bool pytorch_may_be_wanted(const struct workload *workload)
{
	const struct request *request = &workload->request;

	return !wishes_without(&workload->wishes, family_pytorch.name) && !request->exact &&
	       request->prepack != CHOICE_OFF;
}

bool pytorch_is_wanted(const struct workload *workload)
{
	return pytorch_may_be_wanted(workload) && (workload_may_have_torch(workload) || asked_by(&workload->request));
}

/* Why the hook cannot get into the program, in a few words; NULL: it can. */
static const char *hook_refused(const struct settings_input *in)
{
	const struct workload *workload = in->workload;

	if (wishes_set(&workload->wishes, path_variable) || wishes_unset(&workload->wishes, path_variable))
		return "PYTHONPATH is as asked on the command line";
	if (workload->hook.closed)
		return "the program's Python is told to look at no PYTHONPATH or to run nothing at its start";
	if (!workload->hook.folder)
		return workload->hook.why_not ? workload->hook.why_not
					      : "fettle's hook is for a program on this machine";
	return NULL;
}

static bool hook_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return pytorch_is_wanted(in->workload) && !hook_refused(in);
}

/* ---- PYTHONPATH ---- */

/* Is the entry the hook's folder, of whichever fettle? */
static bool is_hook(const char *entry, size_t length)
{
	const size_t own = strlen(PYTORCH_HOOK_FOLDER);

	return length > own && entry[length - own - 1] == '/' &&
	       memcmp(entry + length - own, PYTORCH_HOOK_FOLDER, own) == 0;
}

/* The list without our folders. True: one of them stood there twice, for a user's variable that was set and empty. */
static bool add_without_hook(const char *list, struct text *users)
{
	size_t ours = 0, others = 0;

	for (const char *entry = list;; entry++) {
		const size_t length = strcspn(entry, ":");

		if (is_hook(entry, length)) {
			ours++;
		} else {
			text_add(users, "%s", others++ ? ":" : "");
			text_add_bytes(users, entry, length);
		}
		entry += length;
		if (!*entry)
			return ours == 2 && !others;
	}
}

static void path_users_part(const struct settings_input *in, const char *inherited, struct text *users)
{
	(void)in;
	(void)add_without_hook(inherited, users);
}

/* Is the user's own there and empty? */
static bool users_is_empty(const struct settings_input *in)
{
	const char *value = workload_getenv(in->workload, path_variable);
	cleanup_text struct text users = TEXT_INIT;

	return value && (!*value || add_without_hook(value, &users));
}

static void path_merge(const struct settings_input *in, const struct plan_instance *instance, const char *users,
		       struct text *value)
{
	const char *folder = in->workload->hook.folder;

	(void)instance;
	text_add(value, "%s", folder);
	if (*users || users_is_empty(in))
		text_add(value, ":%s", *users ? users : folder);
}

static void path_explain(const struct settings_input *in, struct text *why)
{
	if (in->workload->starter)
		text_add(why, "; %s may start a Python that has PyTorch", in->workload->starter);
}

/* ---- What the hook does ---- */

static bool prepack_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	return in->workload->request.prepack != CHOICE_OFF && hook_applies(in, instance);
}

static void prepack_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	text_add(value, "%s", choice_words[in->workload->request.prepack]);
}

static bool prepack_asked(const struct settings_input *in)
{
	return in->workload->request.prepack != CHOICE_AUTO;
}

static bool channels_last_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	return in->workload->request.channels_last != CHOICE_OFF && prepack_applies(in, instance);
}

static void channels_last_value(const struct settings_input *in, const struct plan_instance *instance,
				struct text *value)
{
	(void)instance;
	text_add(value, "%s", choice_words[in->workload->request.channels_last]);
}

static bool fuse_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	const struct request *request = &in->workload->request;

	return request->fuse != CHOICE_OFF && channels_last_applies(in, instance);
}

static void fuse_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	text_add(value, "%s", choice_words[in->workload->request.fuse]);
}

static bool channels_last_asked(const struct settings_input *in)
{
	return in->workload->request.channels_last != CHOICE_AUTO;
}

static bool fuse_asked(const struct settings_input *in)
{
	return in->workload->request.fuse != CHOICE_AUTO;
}

static bool precision_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	return is_lowered(&in->workload->request) && prepack_applies(in, instance);
}

static void precision_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	text_add(value, "%s", precision_words[in->workload->request.precision]);
}

static bool precision_asked(const struct settings_input *in)
{
	return is_lowered(&in->workload->request);
}

static const struct setting_rule rules[] = {
	{ .name = path_variable,
	  .applies = hook_applies,
	  .merge = path_merge,
	  .users_part = path_users_part,
	  .explain = path_explain,
	  .why = "brings fettle's hook into PyTorch: Python runs its sitecustomize.py, which takes itself out again, "
		 "runs the user's own and waits for 'import torch' (Python, module site)" },
	{ .name = prepack_row,
	  .applies = prepack_applies,
	  .value = prepack_value,
	  .by_option = prepack_asked,
	  .option = "prepack",
	  .why = "in inference the weights of linear layers are packed for oneDNN once, by the operators that "
		 "TorchInductor uses, where PyTorch packs them at each call (auto: kept for a layer where its own "
		 "times say so)",
	  .risk = "packed weights are a second copy in memory; sums are made in another order",
	  .changes_numbers = NUMBERS_ROUNDING,
	  .system_call = true },
	{ .name = channels_last_row,
	  .applies = channels_last_applies,
	  .value = channels_last_value,
	  .by_option = channels_last_asked,
	  .option = "channels-last",
	  .why = "packed convolutions take and give images with the channels last: within parts of a model whose "
		 "source shows that the program cannot tell, the order is not changed back (auto: kept for a part "
		 "where its own times say so)",
	  .changes_numbers = NUMBERS_ROUNDING,
	  .system_call = true },
	{ .name = fuse_row,
	  .applies = fuse_applies,
	  .value = fuse_value,
	  .by_option = fuse_asked,
	  .option = "fuse",
	  .why = "within such parts batch norm goes into the weights of the convolution before it, and what follows, a "
		 "sum and an activation, is done by oneDNN with the convolution (kept for a part where its own times "
		 "say so)",
	  .risk = "weights that batch norm went into are rounded once more",
	  .changes_numbers = NUMBERS_ROUNDING,
	  .system_call = true },
	{ .name = precision_row,
	  .applies = precision_applies,
	  .value = precision_value,
	  .by_option = precision_asked,
	  .option = "precision",
	  .why = "packed layers of float32 compute in bfloat16, for which the processor has instructions; the "
		 "program's "
		 "tensors stay float32 (measured: 1.3 to 1.9 times as fast on real networks; how far results are from "
		 "float32's is said in the run)",
	  .risk = "inputs, weights and outputs of these layers keep 8 bits",
	  .changes_numbers = NUMBERS_CHANGED,
	  .system_call = true },
};

void pytorch_record(const struct settings_input *in, const struct settings *settings,
		    const struct plan_instance *instance, struct text *record)
{
	const struct setting *prepack = settings_find(settings, prepack_row, instance->index);
	const struct setting *last = settings_find(settings, channels_last_row, instance->index);
	const struct setting *fuse = settings_find(settings, fuse_row, instance->index);
	const struct setting *precision = settings_find(settings, precision_row, instance->index);
	const uint64_t memory = setting_memory_each(in);

	if (!prepack || !settings_find(settings, path_variable, instance->index))
		return;
	text_add(record, "hook=prepack:%s", prepack->value);
	if (last)
		text_add(record, ",channels-last:%s", last->value);
	if (fuse)
		text_add(record, ",fuse:%s", fuse->value);
	if (precision)
		text_add(record, ",precision:%s%s", precision->value, in->workload->hook.quiet ? ",quiet" : "");
	if (memory != UINT64_MAX)
		text_add(record, ",memory:%" PRIu64, memory / MEMORY_PART);
	text_add(record, "%s%s;", in->workload->hook.says ? ",says" : "", in->workload->hook.forgets ? ",forgets" : "");
}

/* ---- Wishes ---- */

/* PyTorch is there and the hook cannot get to it: not in silence. */
static int pytorch_check(const struct settings_input *in)
{
	const char *reason =
		pytorch_is_wanted(in->workload) && workload_has_torch(in->workload) ? hook_refused(in) : NULL;

	return reason ? plan_note(&in->plan->reasons, "pytorch-hook", in->workload->hook.closed,
				  "PyTorch is left as it is: %s", reason)
		      : 0;
}

/* Has the processor, as far as is known, one of the instructions? */
static bool may_have(const char *isa, const char *const *words)
{
	for (; isa && *words; words++) {
		const size_t length = strlen(*words);

		for (const char *at = isa; (at = strstr(at, *words)) != NULL; at += length) {
			if ((at == isa || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
				return true;
		}
	}
	return !isa;
}

/* A precision that cannot be had, or is contradicted. */
static int refuse_precision(const struct settings_input *in, struct err *err)
{
	static const char *const bf16[] = { "avx512_bf16", "amx_bf16", "bf16", "svebf16", NULL };
	static const char *const tf32[] = { "amx_fp16", NULL };
	const struct request *request = &in->workload->request;
	const char *isa = in->workload->hook.isa;

	if (request->precision == PRECISION_F32 && request->fpmath > FPMATH_STRICT) {
		(void)err_set(err, -EINVAL, "--precision f32 and --fpmath %s do not go together",
			      fpmath_words[request->fpmath]);
		return err_hint(err, "possible: one of them");
	}
	if (request->precision == PRECISION_TF32 && isa && !may_have(isa, tf32)) {
		(void)err_set(err, -EINVAL,
			      "--precision tf32-like: this processor has not what PyTorch and oneDNN need "
			      "for it: AMX for float16 (amx_fp16)");
		return err_hint(err, "possible: --precision bf16, or f32");
	}
	if (request->precision == PRECISION_TF32) {
		(void)err_set(err, -EINVAL,
			      "--precision tf32-like: fettle could not tell how far results are from "
			      "float32's");
		return err_hint(err, "possible: --fpmath tf32, which has oneDNN do it where it can, and tells nothing");
	}
	if (request->precision == PRECISION_BF16 && !may_have(isa, bf16)) {
		(void)err_set(err, -EINVAL, "--precision bf16: this processor has no instructions for bfloat16");
		return err_hint(err, "possible: --precision f32");
	}
	return 0;
}

static int pytorch_refuse(const struct settings_input *in, struct err *err)
{
	const struct request *request = &in->workload->request;
	const char *reason, *asked = asked_by(request);

	if (refuse_precision(in, err) < 0)
		return err->code;
	if (!asked)
		return 0;
	if (request->exact) {
		(void)err_set(err, -EINVAL, "--exact and %s do not go together: it changes %s", asked,
			      is_lowered(request) ? "numbers" : "last digits");
		return err_hint(err, "possible: one of them");
	}
	if (request->prepack == CHOICE_OFF) {
		(void)err_set(err, -EINVAL, "%s is of packed layers, and --prepack is off", asked);
		return err_hint(err, "possible: one of them");
	}
	if (request->fuse == CHOICE_ON && request->channels_last == CHOICE_OFF) {
		(void)err_set(err, -EINVAL,
			      "--fuse on is of parts that keep their channels last, and --channels-last "
			      "is off");
		return err_hint(err, "possible: one of them");
	}
	reason = hook_refused(in);
	if (!reason)
		return 0;
	(void)err_set(err, -EINVAL, "%s: %s%s%s%s", asked, reason, in->workload->hook.closed ? " (" : "",
		      in->workload->hook.closed ? in->workload->hook.closed : "", in->workload->hook.closed ? ")" : "");
	return err_hint(err, "possible: without %s, which goes by what can be had", asked);
}

const struct setting_family family_pytorch = {
	.name = "pytorch",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
	.check = pytorch_check,
	.refuse = pytorch_refuse,
};
