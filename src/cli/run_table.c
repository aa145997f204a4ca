/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_table.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/output.h"
#include "report/run.h"

#include <string.h>

/* Columns that are only there when they say something. */
struct columns {
	bool throttled, restarts, numbers;
};

static void add_bytes(struct text *line, uint64_t bytes)
{
	if (bytes >= UINT64_C(10) << 30)
		text_add(line, "  %5.1f GiB", (double)bytes / (double)(1 << 30));
	else
		text_add(line, "  %5.0f MiB", (double)bytes / (double)(1 << 20));
}

/* What a row and the sum have in common. */
static void add_usage(struct text *line, uint64_t wall_ns, uint64_t cpu_ns, unsigned cpus, uint64_t max_rss_bytes)
{
	const double share = run_share(cpu_ns, cpus, wall_ns);

	text_add(line, "  %8.2f s  %8.2f s", (double)wall_ns / 1e9, (double)cpu_ns / 1e9);
	if (share >= 0)
		text_add(line, "  %4.0f %% of %u", share * 100, cpus);
	else
		text_add(line, "     - of %u", cpus);
	add_bytes(line, max_rss_bytes);
}

static void add_rest(struct text *line, const struct columns *columns, uint64_t throttled_ns, unsigned restarts,
		     const double *number)
{
	if (columns->throttled)
		text_add(line, "  %7.2f s", (double)throttled_ns / 1e9);
	if (columns->restarts)
		text_add(line, "  %8u", restarts);
	if (columns->numbers && number)
		text_add(line, "  %12.6g", *number);
	else if (columns->numbers)
		text_add(line, "  %12s", "-");
}

static void print_line(struct text *line)
{
	if (line->data && !line->failed)
		output_line("%s", line->data);
	text_clear(line);
}

static void print_head(const struct columns *columns)
{
	struct text line = TEXT_INIT;

	text_add(&line, "instance  %-18s  %10s  %10s  %8s  %9s", "end", "wall", "CPU", "of CPUs", "max RSS");
	if (columns->throttled)
		text_add(&line, "  %9s", "throttled");
	if (columns->restarts)
		text_add(&line, "  restarts");
	if (columns->numbers)
		text_add(&line, "  %12s", "collected");
	print_line(&line);
}

static void print_instance(const struct run_instance *instance, const struct columns *columns)
{
	struct text line = TEXT_INIT;
	char end[48];

	if (!instance->pid)
		(void)snprintf(end, sizeof(end), "not started");
	else if (instance->signal)
		(void)snprintf(end, sizeof(end), "signal %d%s", instance->signal, instance->stopped ? ", stopped" : "");
	else
		(void)snprintf(end, sizeof(end), "exit %d%s", instance->exit_code,
			       instance->stopped ? ", stopped" : "");
	text_add(&line, "%8u  %-18s", instance->index, end);
	add_usage(&line, instance->wall_ns, instance->cpu_ns, instance->cpus, instance->max_rss_bytes);
	add_rest(&line, columns, instance->throttled_ns, instance->restarts,
		 instance->collected ? &instance->number : NULL);
	print_line(&line);
}

static void print_sum(const struct run *run, const struct run_sum *sum, const struct columns *columns)
{
	struct text line = TEXT_INIT;

	text_add(&line, "%8s  %-18s", "all", "");
	add_usage(&line, run->wall_ns, sum->cpu_ns, sum->cpus, sum->max_rss_bytes);
	add_rest(&line, columns, run->throttled_ns, sum->restarts, sum->numbers ? &sum->sum : NULL);
	print_line(&line);
	if (sum->numbers > 1)
		output_line("collected from %zu of %zu: sum %.6g, mean %.6g, from %.6g to %.6g", sum->numbers,
			    run->count, sum->sum, sum->mean, sum->least, sum->most);
}

void run_table_print(const struct run *run)
{
	struct columns columns;
	struct run_sum sum;

	run_sum(run, &sum);
	columns = (struct columns){ .throttled = run->throttle_known && run->throttled_periods,
				    .restarts = sum.restarts > 0,
				    .numbers = run->collect != NULL };
	print_head(&columns);
	for (size_t i = 0; i < run->count; i++)
		print_instance(&run->instances[i], &columns);
	print_sum(run, &sum, &columns);
}
