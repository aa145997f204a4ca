/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/peak.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/workload_path.h"
#include "launch/piped.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 2 n^3: a product and a sum for each of n numbers of n^2 sums. */
#define GFLOP_A_STEP (2.0 * 2048 * 2048 * 2048 / 1e9)

static enum piped_state take_output(const char *bytes, size_t length, void *context)
{
	text_add_bytes(context, bytes, length);
	return PIPED_NOTHING_HELD;
}

static enum piped_state take_idle(void *context)
{
	(void)context;
	return PIPED_NOTHING_HELD;
}

/* What oneDNN would print costs time, and nobody reads it. The words are borrowed, the list is the caller's. */
static char **quiet_environment(void)
{
	static const char *const loud[] = { "ONEDNN_VERBOSE=", "DNNL_VERBOSE=" };
	size_t count = 0, kept = 0;
	char **list;

	while (environ[count])
		count++;
	list = calloc(count + 1, sizeof(*list));
	for (size_t i = 0; list && i < count; i++) {
		if (strncmp(environ[i], loud[0], strlen(loud[0])) != 0 &&
		    strncmp(environ[i], loud[1], strlen(loud[1])) != 0)
			list[kept++] = environ[i];
	}
	return list;
}

/* "step 3: 81.2 ms". 0: there is none. */
static double shortest_ms(const char *told)
{
	double least = 0;

	for (const char *at = told; (at = strstr(at, ": ")) != NULL; at += 2) {
		char *end;
		const double ms = strtod(at + 2, &end);

		if (strncmp(end, " ms\n", 4) == 0 && ms > 0 && (least <= 0 || ms < least))
			least = ms;
	}
	return least;
}

int peak_measure(double *ret_gflops, struct err *err)
{
	static const char why[] = "the processor's peak was not measured";
	cleanup_free char *path = workload_path(err);
	char *const words[] = { path, (char *)"--seconds", (char *)"0.5", (char *)"product", NULL };
	cleanup_free char **environment = quiet_environment();
	cleanup_text struct text told = TEXT_INIT;
	const struct piped_taker taker = { take_output, take_idle, &told, .alone = true };
	struct piped_end end = { .signal = 0 };
	double ms;
	int r;

	if (!path)
		return err->code;
	if (!environment)
		return err_nomem(err);
	r = launch_piped(&(struct launch_program){ path, words }, environment, &taker, &end, err);
	if (r < 0)
		return r;
	ms = told.failed || end.exit_code || !told.data ? 0 : shortest_ms(told.data);
	if (ms <= 0)
		return err_set(err, -EIO, "%s: '%s' ended with %d", why, path, end.exit_code);
	*ret_gflops = GFLOP_A_STEP / (ms / 1e3);
	return 0;
}
