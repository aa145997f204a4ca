/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_machine_host.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/colour.h"
#include "joint/option.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "machine/may.h"

#include <string.h>

static void say_text(const struct fact *fact, const char *before, const char *after, struct text *text)
{
	text_add(text, "%s%s%s", before, fact->raw, after);
}

static void say_mhz(const struct fact *fact, const char *before, const char *after, struct text *text)
{
	text_add(text, "%s%llu MHz%s", before, (unsigned long long)fact->value, after);
}

static void say_switch(const struct fact *fact, const char *before, const char *after, struct text *text)
{
	text_add(text, "%s%s%s", before, fact->value ? "on" : "off", after);
}

static void say_swap(const struct fact *fact, const char *before, const char *after, struct text *text)
{
	if (fact->value)
		text_add(text, "%s%.1f GiB%s", before, (double)fact->value / (1 << 30), after);
	else
		text_add(text, "no swap");
}

static void say_cpus(const struct fact *fact, const char *before, const char *after, struct text *text)
{
	if (*fact->raw)
		text_add(text, "%s%s%s", before, fact->raw, after);
}

/* The phrases of the host's lines. What is unknown is left out; `absent` says what it means that something is not
 * there. */
static const struct {
	enum host_fact fact;
	void (*say)(const struct fact *fact, const char *before, const char *after, struct text *text);
	const char *before, *after, *absent;
} phrases[] = {
	{ HOST_KERNEL, say_text, "Linux ", "", NULL },
	{ HOST_HYPERVISOR, say_text, "virtual machine (", ")", "no hypervisor" },
	{ HOST_GOVERNOR, say_text, "governor ", "", "no frequency governor" },
	{ HOST_LIMIT_MHZ, say_mhz, "up to ", "", NULL },
	{ HOST_BOOST, say_switch, "boost ", "", NULL },
	{ HOST_HUGE_PAGES, say_text, "huge pages ", "", "no transparent huge pages" },
	{ HOST_NUMA_BALANCING, say_switch, "NUMA balancing ", "", NULL },
	{ HOST_SWAP, say_swap, "swap ", "", NULL },
	{ HOST_ISOLATED, say_cpus, "isolated CPUs ", "", NULL },
};

/* "may: all that was tried but counters (the CPU shows no such counter here)" */
static void add_rights(const struct may *may, struct text *text)
{
	cleanup_text struct text line = TEXT_INIT;
	const char *separator = " but ";

	text_add(&line, "all that was tried");
	for (enum may_right i = 0; i < MAY_RIGHT_COUNT; i++) {
		const struct fact *right = &may->rights[i];

		if (right->state == FACT_ABSENT || (right->state == FACT_KNOWN && right->value))
			continue;
		text_add(&line, "%s%s (%s)", separator, may_right_name(i), right->raw ? right->raw : "unknown");
		separator = ", ";
	}
	text->failed |= line.failed;
	text_add(text, "may: ");
	option_wrap(text, line.data ? line.data : "", 5, 6);
}

void machine_host_lines(const struct machine *machine, struct text *text)
{
	cleanup_text struct text line = TEXT_INIT;

	if (!machine->host)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++) {
		const struct fact *fact = &machine->host->facts[phrases[i].fact];
		const size_t before = line.length, comma = before ? strlen(", ") : 0;

		text_add(&line, "%s", comma ? ", " : "");
		if (fact->state == FACT_KNOWN)
			phrases[i].say(fact, phrases[i].before, phrases[i].after, &line);
		else if (fact->state == FACT_ABSENT && phrases[i].absent)
			text_add(&line, "%s", phrases[i].absent);
		/* Nothing was said: take the comma back. */
		if (!line.failed && line.length == before + comma && line.data) {
			line.length = before;
			line.data[before] = '\0';
		}
	}
	if (!machine->kinds_known)
		text_add(&line, "%score kinds not told and taken as one", line.length ? ", " : "");
	text->failed |= line.failed;
	if (line.length) {
		text_add(text, "host: ");
		option_wrap(text, line.data, 6, 6);
	}
	if (machine->may)
		add_rights(machine->may, text);
}

static void add_limit(struct text *text, uint64_t value)
{
	if (value == MAY_UNLIMITED)
		text_add(text, "unlimited");
	else
		text_add(text, "%llu", (unsigned long long)value);
}

void machine_may_facts(const struct machine *machine, const struct colour *colour, struct text *text)
{
	if (!machine->may)
		return;
	text_add(text, "\n%sMay%s\n", colour->bold, colour->off);
	for (enum may_right i = 0; i < MAY_RIGHT_COUNT; i++) {
		const struct fact *right = &machine->may->rights[i];
		const char *verdict = right->state == FACT_KNOWN    ? (right->value ? "yes" : "no")
				      : right->state == FACT_ABSENT ? "not there"
								    : "unknown";

		text_add(text, "  %-19s %s%s%s  [%s]\n", may_right_name(i), verdict, right->raw ? ": " : "",
			 right->raw ? right->raw : "", right->source);
	}
	for (enum may_limit i = 0; i < LIMIT_COUNT; i++) {
		text_add(text, "  %-19s ", may_limit_name(i));
		add_limit(text, machine->may->limits[i].soft);
		text_add(text, ", at most ");
		add_limit(text, machine->may->limits[i].hard);
		text_add(text, "  [getrlimit]\n");
	}
}

void machine_host_facts(const struct machine *machine, const struct colour *colour, struct text *text)
{
	if (!machine->host)
		return;
	text_add(text, "\n%sHost%s\n", colour->bold, colour->off);
	for (enum host_fact i = 0; i < HOST_FACT_COUNT; i++) {
		const struct fact *fact = &machine->host->facts[i];

		text_add(text, "  %-19s ", host_fact_name(i));
		if (fact->state == FACT_KNOWN)
			host_fact_words(i, fact, text);
		else if (fact->state == FACT_ABSENT)
			text_add(text, "not there");
		else
			text_add(text, "unknown%s%s", fact->raw ? ": " : "", fact->raw ? fact->raw : "");
		text_add(text, "  [%s]\n", fact->source);
	}
}
