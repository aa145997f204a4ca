/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_output.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "joint/options.h"
#include "launch/supervise.h"
#include "plan/plan.h"

#include <string.h>
#include <sys/stat.h>

static const char default_log_prefix[] = "instance";

int run_output_check(const struct options *options, struct err *err)
{
	const struct supervision *asked = &options->supervision;
	regex_t collect;

	for (const char *c = asked->log_prefix; c && *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return err_set(err, -EINVAL, "option '--log-prefix': it holds a control character");
	}
	if (asked->log_dir && asked->log_prefix && strchr(asked->log_prefix, '/'))
		return err_set(err, -EINVAL, "option '--log-prefix': '%s' cannot be the beginning of a file's name",
			       asked->log_prefix);
	if (!asked->collect)
		return 0;
	if (launch_compile_collect(asked->collect, &collect, err) < 0)
		return err_wrap(err, "option '--collect'");
	regfree(&collect);
	return 0;
}

static bool same_file(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino && one.st_rdev == other.st_rdev;
}

/* Which of our streams the instances' lines go through us to, and what stands before each. */
static void choose(const struct supervision *asked, size_t count, struct run_output *output)
{
	struct launch_output *out = &output->output;

	for (int which = 0; which < 2 && !asked->log_dir; which++) {
		const bool terminal = isatty(which ? STDERR_FILENO : STDOUT_FILENO) == 1;

		if (asked->log_prefix)
			out->prefix[which] = asked->log_prefix;
		else if (terminal && count > 1)
			out->prefix[which] = "";
		out->through[which] = out->prefix[which] || asked->collect;
	}
	if (asked->log_dir && asked->collect)
		out->through[0] = out->through[1] = true;
	out->together =
		out->through[0] && out->through[1] && (asked->log_dir || same_file(STDOUT_FILENO, STDERR_FILENO));
	output->terminal_is_ours = isatty(STDERR_FILENO) == 1 && (asked->log_dir || out->through[1]) &&
				   (asked->log_dir || out->through[0] || isatty(STDOUT_FILENO) != 1);
}

static int open_logs(const struct supervision *asked, const struct launch_child *children, size_t count,
		     struct run_output *output, struct err *err)
{
	cleanup_free unsigned *instances = calloc(count, sizeof(*instances));
	int r;

	output->log_fds = calloc(count, sizeof(*output->log_fds));
	if (!instances || !output->log_fds)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++)
		instances[i] = children[i].instance->index;
	r = launch_open_logs(asked->log_dir, asked->log_prefix ? asked->log_prefix : default_log_prefix, instances,
			     count, output->log_fds, err);
	if (r < 0)
		return r;
	output->log_count = count;
	output->output.log_fds = output->log_fds;
	return 0;
}

int run_output_open(const struct options *options, const struct launch_child *children, size_t count,
		    struct run_output *ret_output, struct err *err)
{
	const struct supervision *asked = &options->supervision;
	int r = 0;

	*ret_output = (struct run_output){ .log_fds = NULL };
	choose(asked, count, ret_output);
	if (asked->log_dir)
		r = open_logs(asked, children, count, ret_output, err);
	if (r == 0 && asked->collect) {
		r = launch_compile_collect(asked->collect, &ret_output->collect, err);
		ret_output->collects = r == 0;
		ret_output->output.collect = &ret_output->collect;
	}
	if (r < 0)
		run_output_clear(ret_output);
	return r;
}

void run_output_clear(struct run_output *output)
{
	for (size_t i = 0; i < output->log_count; i++)
		(void)close(output->log_fds[i]);
	free(output->log_fds);
	if (output->collects)
		regfree(&output->collect);
	*output = (struct run_output){ .log_fds = NULL };
}
