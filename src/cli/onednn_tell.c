/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/onednn_tell.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/command.h"
#include "cli/onednn_text.h"
#include "cli/output.h"
#include "cli/peak.h"
#include "joint/profile.h"
#include "onednn/advice.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHAPES_USUAL = 10 };

/* A number of GFLOP/s; false: it is none. */
static bool peak_number(const char *text, double *ret_number)
{
	char *end;
	const double number = strtod(text, &end);

	if (end == text || *end || !(number > 0) || number > 1e9)
		return false;
	*ret_number = number;
	return true;
}

int onednn_check_options(const struct options *options, struct err *err)
{
	cleanup_free char *path = NULL;
	const int r = options->save ? profile_path(options->save, &path, err) : 0;
	double number;

	if (r < 0)
		return r;
	if (options->capacity > ONEDNN_CAPACITY_MAX)
		return err_set(err, -EINVAL, "--capacity %u: oneDNN's limit is %d", options->capacity,
			       ONEDNN_CAPACITY_MAX);
	if (options->peak && strcmp(options->peak, "here") != 0 && strcmp(options->peak, "none") != 0 &&
	    !peak_number(options->peak, &number))
		return err_set(err, -EINVAL, "option '--peak': '%s' is neither here, none, nor a number of GFLOP/s",
			       options->peak);
	if (options->folded && options->output && strcmp(options->folded, options->output) == 0)
		return err_set(err, -EINVAL, "options '--folded' and '--output' name the same file '%s'",
			       options->folded);
	return 0;
}

static char *as_json(const struct onednn_profile *profile, const struct onednn_advice *advice, size_t shapes)
{
	json_t *document = onednn_to_json(profile, advice, shapes);
	/* Times are sums of six digits each. */
	cleanup_free char *dump =
		document ? json_dumps(document, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12)) : NULL;
	struct text text = TEXT_INIT;

	json_decref(document);
	if (!dump)
		return NULL;
	text_add(&text, "%s\n", dump);
	return text_take(&text);
}

static char *as_text(const struct onednn_profile *profile, const struct onednn_advice *advice,
		     const struct options *options, size_t shapes, bool to_stderr)
{
	struct text text = TEXT_INIT;

	if (options->quiet)
		onednn_text_short(profile, advice, &text);
	else
		onednn_text(profile, advice, shapes, to_stderr ? &colour_none : colour_of(options), &text);
	return text_take(&text);
}

/* --folded. */
static int write_folded(const struct onednn_profile *profile, const char *path, struct err *err)
{
	cleanup_text struct text text = TEXT_INIT;
	cleanup_free char *data = NULL;

	onednn_folded(profile, &text);
	data = text_take(&text);
	return data ? output_write(strcmp(path, "-") == 0 ? NULL : path, data, err) : err_nomem(err);
}

/* --save: what 'fettle run --profile' is to have. Where the default does as well, that is the recommendation. */
static int save_profile(const struct onednn_advice *advice, const char *name, struct err *err)
{
	const unsigned capacity = advice->worth ? advice->sizing.recommended : ONEDNN_CAPACITY_DEFAULT;
	cleanup_free char *path = NULL;
	int r;

	if (!advice->sizing.recommended)
		return err_set(err, -ENODATA, "nothing to save in profile '%s': %s", name, advice->why);
	r = profile_save_number(name, "onednn-cache", capacity, &path, err);
	if (r == 0)
		output_line("profile '%s' has onednn-cache %u%s", path, capacity,
			    advice->worth ? "" : ": the default does as well");
	return r;
}

/* --peak. Not to be had is no failure where nobody asked for it. */
static int find_peak(const struct onednn_profile *profile, const struct options *options, bool ran_here,
		     double *ret_gflops, struct err *err)
{
	const char *const asked = options->peak;
	const bool shown = options->json || !options->quiet;
	double number = 0;
	int r;

	if (asked && peak_number(asked, &number)) {
		*ret_gflops = number;
		return 0;
	}
	/* Each of several at once has its part of the processor, and nothing says which. */
	if (!shown || (asked ? strcmp(asked, "here") != 0 : !ran_here || profile->streams > 1))
		return 0;
	r = peak_measure(ret_gflops, err);
	return r < 0 && r != -ENOMEM && !asked ? 0 : r;
}

static int show(const struct invocation *invocation, const struct onednn_profile *profile,
		const struct onednn_advice *advice, bool to_stderr)
{
	const struct options *options = &invocation->options;
	const size_t shapes = options->top ? options->top : SHAPES_USUAL;
	cleanup_free char *result = NULL;

	if (options->folded && strcmp(options->folded, "-") == 0 && !options->output)
		return EXIT_OK; /* standard output is the stacks' */
	result =
		options->json ? as_json(profile, advice, shapes) : as_text(profile, advice, options, shapes, to_stderr);
	if (!to_stderr || options->output)
		return output_result(invocation, result);
	return result && output_bytes(STDERR_FILENO, result, strlen(result)) == 0 ? EXIT_OK : EXIT_FAILED;
}

int onednn_tell(const struct invocation *invocation, struct onednn_profile *profile, unsigned capacity,
		const char *flags, bool to_stderr)
{
	const struct options *options = &invocation->options;
	cleanup_onednn_advice struct onednn_advice advice = { .why = NULL };
	struct err err = { 0 };
	int code;

	if (onednn_profile_end(profile, &err) < 0 ||
	    find_peak(profile, options, to_stderr, &profile->peak_gflops, &err) < 0 ||
	    onednn_advise(profile, options->capacity ? options->capacity : capacity, flags, &advice, &err) < 0 ||
	    (options->folded && write_folded(profile, options->folded, &err) < 0))
		return output_failure(EXIT_FAILED, &err);
	code = show(invocation, profile, &advice, to_stderr);
	/* Last: a program that ran for an hour is told of, whatever becomes of the profile. */
	if (code == EXIT_OK && options->save && save_profile(&advice, options->save, &err) < 0)
		return output_failure(EXIT_FAILED, &err);
	return code;
}
