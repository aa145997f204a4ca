/* SPDX-License-Identifier: Apache-2.0 */
#include "report/gather.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "observe/observation.h"
#include "report/check_rule.h"
#include "report/finding_rule.h"

#include <string.h>

/* A look that could tell what comes and goes: the longest window that any rule of that kind asks for. */
enum { LONG_MS = 900, OFTEN_ONE_IN = 5 };

static struct gathered_instance *instance_of(struct gathered *gathered, unsigned index)
{
	struct gathered_instance *grown;

	for (size_t i = 0; i < gathered->instance_count; i++) {
		if (gathered->instances[i].index == index)
			return &gathered->instances[i];
	}
	grown = array_grow(gathered->instances, &gathered->instance_capacity, gathered->instance_count, sizeof(*grown));
	if (!grown)
		return NULL;
	gathered->instances = grown;
	grown += gathered->instance_count++;
	*grown = (struct gathered_instance){ .index = index };
	return grown;
}

unsigned gathered_looks(const struct gathered *gathered, unsigned index)
{
	for (size_t i = 0; i < gathered->instance_count; i++) {
		if (gathered->instances[i].index == index)
			return gathered->instances[i].looks;
	}
	return 0;
}

static unsigned long_looks(const struct gathered *gathered, int index)
{
	for (size_t i = 0; i < gathered->instance_count; i++) {
		if ((int)gathered->instances[i].index == index)
			return gathered->instances[i].long_looks;
	}
	return 0;
}

static struct finding *find_finding(const struct report *report, const char *id, int instance)
{
	for (size_t i = 0; i < report->finding_count; i++) {
		if (report->findings[i].instance == instance && strcmp(report->findings[i].id, id) == 0)
			return &report->findings[i];
	}
	return NULL;
}

static struct check *find_check(const struct report *report, const char *name, int instance)
{
	for (size_t i = 0; i < report->check_count; i++) {
		if (report->checks[i].instance == instance && strcmp(report->checks[i].name, name) == 0)
			return &report->checks[i];
	}
	return NULL;
}

static void drop_finding(struct report *report, size_t i)
{
	finding_clear(&report->findings[i]);
	report->finding_count--;
	memmove(&report->findings[i], &report->findings[i + 1],
		(report->finding_count - i) * sizeof(report->findings[0]));
}

static void drop_check(struct report *report, struct check *check)
{
	check_clear(check);
	report->check_count--;
	memmove(check, check + 1, (size_t)(report->checks + report->check_count - check) * sizeof(*check));
}

/* The later look at the same thing takes the place of the earlier, unless that was graver. */
static int take_finding(struct gathered *gathered, struct finding *finding)
{
	struct report *report = &gathered->report;
	struct finding *known = find_finding(report, finding->id, finding->instance);

	if (known) {
		finding->looks += known->looks;
		if (known->severity < finding->severity) {
			known->looks = finding->looks;
			finding_clear(finding);
		} else {
			finding_clear(known);
			*known = *finding;
		}
	} else {
		struct finding *grown =
			array_grow(report->findings, &report->finding_capacity, report->finding_count, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		report->findings = grown;
		grown[report->finding_count++] = *finding;
	}
	*finding = (struct finding){ .id = NULL };
	return 0;
}

/* What was met once was met; a look that cannot tell takes nothing back. */
static int take_check(struct report *report, struct check *check)
{
	struct check *known = find_check(report, check->name, check->instance);

	if (known) {
		check->looks += known->looks;
		if (known->verdict == VERDICT_MET && check->verdict == VERDICT_UNKNOWN) {
			known->looks = check->looks;
			check_clear(check);
		} else {
			check_clear(known);
			*known = *check;
		}
	} else {
		struct check *grown =
			array_grow(report->checks, &report->check_capacity, report->check_count, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		report->checks = grown;
		grown[report->check_count++] = *check;
	}
	*check = (struct check){ .name = NULL };
	return 0;
}

/* Of things of which the last look counts, those that this one did not see any more, though it could have. */
static void forget_old(struct gathered *gathered, const struct report *latest, const struct observation *observation)
{
	for (size_t k = 0; k < observation->instance_count; k++) {
		const struct observed_instance *instance = &observation->instances[k];
		const int index = (int)instance->planned.index;

		if (instance->ended || !observation->processes[instance->main_idx].objects_known)
			continue;
		for (size_t i = gathered->report.finding_count; i-- > 0;) {
			const struct finding *known = &gathered->report.findings[i];

			if (known->instance == index && known->sight == SIGHT_LAST &&
			    !find_finding(latest, known->id, index))
				drop_finding(&gathered->report, i);
		}
	}
	for (size_t i = 0; i < latest->check_count; i++) {
		const struct check *check = &latest->checks[i];
		struct check *known = find_check(&gathered->differing, check->name, check->instance);

		if (known && check->sight == SIGHT_LAST && check->verdict == VERDICT_MET)
			drop_check(&gathered->differing, known);
	}
}

static int count_looks(struct gathered *gathered, const struct observation *observation)
{
	const bool tells = observation_window_ns(observation) / 1000000 >= LONG_MS;

	for (size_t i = 0; i < observation->instance_count; i++) {
		struct gathered_instance *instance =
			observation->instances[i].ended
				? NULL
				: instance_of(gathered, observation->instances[i].planned.index);

		if (!instance && !observation->instances[i].ended)
			return -ENOMEM;
		if (!instance)
			continue;
		instance->looks++;
		instance->long_looks += tells;
	}
	return 0;
}

int gathered_add(struct gathered *gathered, struct report *report, const struct report_input *input, struct err *err)
{
	const struct observation *observation = input->observation;
	int r = count_looks(gathered, observation);

	for (size_t i = 0; i < report->finding_count; i++)
		report->findings[i].instance = (int)observation->instances[report->findings[i].instance].planned.index;
	for (size_t i = 0; i < report->check_count; i++)
		report->checks[i].instance = (int)observation->instances[report->checks[i].instance].planned.index;
	forget_old(gathered, report, observation);
	for (size_t i = 0; r == 0 && i < report->finding_count; i++)
		r = take_finding(gathered, &report->findings[i]);
	for (size_t i = 0; r == 0 && i < report->check_count; i++) {
		struct check *check = &report->checks[i];

		r = take_check(check->verdict == VERDICT_DIFFERS ? &gathered->differing : &gathered->report, check);
	}
	return r < 0 ? err_nomem(err) : 0;
}

/* What is only now unknown of one that was seen takes the place of nothing. */
static int take_last_check(struct gathered *gathered, struct check *check)
{
	if (check->verdict == VERDICT_DIFFERS)
		return take_check(&gathered->differing, check);
	if (check->verdict == VERDICT_UNKNOWN && find_check(&gathered->report, check->name, check->instance))
		return 0;
	return take_check(&gathered->report, check);
}

int gathered_close(struct gathered *gathered, const struct ended *ended, struct err *err)
{
	static const struct observed_process nobody = { .instance_idx = -1 };
	const struct observation nothing = { .looks = 0 };
	const struct finding_input in = { .machine = ended->machine,
					  .observation = &nothing,
					  .instance = ended->instance,
					  .instance_idx = (int)ended->instance->planned.index,
					  .main = ended->main ? ended->main : &nobody };
	cleanup_report struct report *report = calloc(1, sizeof(*report));
	int r = report ? report_judge(&in, ended->why, report) : -ENOMEM;

	/* A record tells of the whole run: it needs not be seen twice. */
	for (size_t i = 0; r == 0 && i < report->finding_count; i++) {
		report->findings[i].sight = SIGHT_ONCE;
		r = take_finding(gathered, &report->findings[i]);
	}
	for (size_t i = 0; r == 0 && i < report->check_count; i++) {
		if (report->checks[i].verdict == VERDICT_DIFFERS)
			report->checks[i].sight = SIGHT_ONCE;
		r = take_last_check(gathered, &report->checks[i]);
	}
	return r < 0 ? err_nomem(err) : 0;
}

/* Does it count that `looks` saw what is judged by how often it is seen? */
static bool is_often(const struct gathered *gathered, int instance, unsigned looks)
{
	return looks * OFTEN_ONE_IN >= long_looks(gathered, instance);
}

static int say_how_often(const struct gathered *gathered, int instance, unsigned looks, struct words *evidence)
{
	const unsigned all = long_looks(gathered, instance);
	char line[64];

	if (all < 2)
		return 0;
	(void)snprintf(line, sizeof(line), "seen in %u of %u looks", looks < all ? looks : all, all);
	return words_add(evidence, line);
}

/* It follows from a finding that is left out. */
static bool is_left_out(const struct gathered *gathered, const struct check *check)
{
	return check->sight == SIGHT_OFTEN && !is_often(gathered, check->instance, check->looks);
}

static int finish_checks(struct gathered *gathered)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < gathered->differing.check_count; i++) {
		struct check *check = &gathered->differing.checks[i];
		struct check *other = find_check(&gathered->report, check->name, check->instance);

		if (other && is_left_out(gathered, check))
			continue;
		if (other)
			drop_check(&gathered->report, other);
		r = take_check(&gathered->report, check);
	}
	report_clear(&gathered->differing);
	return r;
}

int gathered_finish(struct gathered *gathered, struct err *err)
{
	int r = finish_checks(gathered);

	for (size_t i = gathered->report.finding_count; r == 0 && i-- > 0;) {
		struct finding *finding = &gathered->report.findings[i];

		if (finding->sight != SIGHT_OFTEN)
			continue;
		if (!is_often(gathered, finding->instance, finding->looks))
			drop_finding(&gathered->report, i);
		else
			r = say_how_often(gathered, finding->instance, finding->looks, &finding->evidence);
	}
	report_sort(&gathered->report);
	return r < 0 ? err_nomem(err) : 0;
}

void gathered_clear(struct gathered *gathered)
{
	report_clear(&gathered->report);
	report_clear(&gathered->differing);
	free(gathered->instances);
	*gathered = (struct gathered){ .instances = NULL };
}
