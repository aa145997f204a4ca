/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_machine_capture.h"

#include "base/err.h"
#include "cli/command.h"
#include "cli/output.h"
#include "machine/archive.h"
#include "machine/capture.h"

#include <string.h>

static const char endings[] = ".tar, .tar.gz, .tar.bz2 or .tar.xz";

/* What is wrong with the request; NULL: nothing. */
static const char *fault_of(const struct options *options)
{
	if (options->machine && strcmp(options->machine, "live") != 0)
		return "--capture takes this machine; '--machine' is of no use with it";
	if (options->json || options->output || options->svg)
		return "--capture writes an archive; '--json', '--svg' and '--output' are of no use with it";
	return NULL;
}

int cmd_machine_capture(struct invocation *invocation)
{
	const struct options *options = &invocation->options;
	const char *const filter = archive_filter(options->capture);
	const char *const fault = fault_of(options);
	cleanup_output_file struct output_file file = OUTPUT_FILE_INIT;
	struct err err = { 0 };
	size_t files = 0;
	int r;

	if (fault || !filter) {
		if (fault)
			output_line("%s", fault);
		else
			output_line("cannot capture into '%s': the name must end in %s", options->capture, endings);
		return EXIT_USAGE;
	}
	if (options->dry_run)
		return EXIT_OK;
	r = output_open(options->capture, &file, &err);
	if (r < 0)
		return output_failure(EXIT_FAILED, &err);
	r = capture_write(file.fd, filter, options->with_hostname, &files, &err);
	if (r < 0) {
		(void)err_wrap(&err, "cannot capture into '%s'", options->capture);
		return output_failure(EXIT_FAILED, &err);
	}
	r = output_commit(&file, &err);
	if (r < 0)
		return output_failure(EXIT_FAILED, &err);
	if (!options->quiet)
		output_line("%zu files captured into '%s'", files, options->capture);
	return EXIT_OK;
}
