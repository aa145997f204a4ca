/* SPDX-License-Identifier: Apache-2.0 */
#include "report/findings.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "report/check_rule.h"
#include "report/finding_rule.h"

#include <string.h>

const char *const severity_words[SEVERITY_COUNT] = { "error", "warning", "note" };
const char *const verdict_words[VERDICT_COUNT] = { "differs", "unknown", "met" };

/*
 * One finding may have a row in several: the first that speaks is heard. What was seen goes before what the agent wrote
 * of threads, and the agent before what cannot be seen from outside as a whole.
 */
static const struct finding_rules *const tables[] = { &finding_cpu_rules,      &finding_thread_rules,
						      &finding_openmp_rules,   &finding_preload_rules,
						      &finding_agent_rules,    &finding_setting_rules,
						      &finding_denormal_rules, &finding_memory_rules,
						      &finding_host_rules,     &finding_isa_rules };

/* The row's sentence with what the test had to say in the place of each "{}"; NULL when memory ran out. */
static char *fill(const char *sentence, const struct text *detail)
{
	cleanup_text struct text text = TEXT_INIT;
	const char *mark;

	for (; (mark = strstr(sentence, "{}")); sentence = mark + strlen("{}")) {
		text_add_bytes(&text, sentence, (size_t)(mark - sentence));
		text_add(&text, "%s", detail->data ? detail->data : "");
	}
	text_add(&text, "%s", sentence);
	return detail->failed ? NULL : text_take(&text);
}

static bool may_speak(const struct finding_rule *rule, const struct finding_input *in)
{
	const struct planned *planned = &in->instance->planned;

	if ((rule->needs & NEEDS_PLAN) && !planned->known)
		return false;
	if ((rule->needs & NEEDS_ANY_PLAN) && !planned->pus_os)
		return false;
	if ((rule->needs & NEEDS_BINDING) && planned->pin == PIN_NONE)
		return false;
	if ((rule->needs & NEEDS_COMPUTE) && !in->computing)
		return false;
	if ((rule->needs & NEEDS_OBJECTS) && !in->main->objects_known)
		return false;
	if ((rule->needs & NEEDS_ENVIRONMENT) && !in->main->environment)
		return false;
	if ((rule->needs & NEEDS_AGENT) && !in->instance->agent)
		return false;
	return in->window_ms >= rule->window_ms;
}

/* One that needs a window is about load, which comes and goes; what is mapped is known better the later it is looked
 * at.
 */
static enum sight sight_of(const struct finding_rule *rule, enum severity severity)
{
	if (rule->window_ms && severity != SEVERITY_ERROR)
		return SIGHT_OFTEN;
	return rule->needs & NEEDS_OBJECTS ? SIGHT_LAST : SIGHT_ONCE;
}

static bool is_said(const struct report *report, const struct finding_rule *rule, int instance)
{
	for (size_t i = 0; i < report->finding_count; i++) {
		if (report->findings[i].instance == instance && strcmp(report->findings[i].id, rule->id) == 0)
			return true;
	}
	return false;
}

/* Who started the program tells what was granted, and tells of findings when it is over. */
static const char *remedy_of(const struct finding_rule *rule, const struct finding_input *in)
{
	return in->instance->grant && rule->next ? rule->next : rule->remedy;
}

static int add_finding(struct report *report, const struct finding_rule *rule, const struct finding_input *in,
		       struct finding_say *say)
{
	const char *const remedy = remedy_of(rule, in);
	struct finding *grown =
		array_grow(report->findings, &report->finding_capacity, report->finding_count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	report->findings = grown;
	grown += report->finding_count++;
	*grown = (struct finding){ .id = rule->id,
				   .severity = say->severity,
				   .sight = sight_of(rule, say->severity),
				   .instance = in->instance_idx,
				   .looks = 1,
				   .text = fill(rule->text, &say->detail),
				   .remedy = remedy ? fill(remedy, &say->remedy) : NULL,
				   .evidence = say->evidence };
	say->evidence = (struct words){ .count = 0 };
	return say->failed || !grown->text || (remedy && !grown->remedy) ? -ENOMEM : 0;
}

static int apply(struct report *report, const struct finding_rule *rule, const struct finding_input *in)
{
	struct finding_say say = { .severity = rule->severity };
	int r = 0;

	if (!may_speak(rule, in) || is_said(report, rule, in->instance_idx))
		return 0;
	if (rule->test(in, &say))
		r = add_finding(report, rule, in, &say);
	text_clear(&say.detail);
	text_clear(&say.remedy);
	words_clear(&say.evidence);
	return say.failed ? -ENOMEM : r;
}

/* Worst first; within one weight as the tables have them. */
void report_sort(struct report *report)
{
	for (size_t i = 1; i < report->finding_count; i++) {
		const struct finding moved = report->findings[i];
		size_t place = i;

		for (; place > 0 && report->findings[place - 1].severity > moved.severity; place--)
			report->findings[place] = report->findings[place - 1];
		report->findings[place] = moved;
	}
}

static struct finding_input look_at(const struct report_input *input, size_t instance)
{
	struct finding_input in = { .machine = input->machine,
				    .observation = input->observation,
				    .instance = &input->observation->instances[instance],
				    .instance_idx = (int)instance,
				    .window_ms = observation_window_ns(input->observation) / 1000000 };
	struct thread_walk walk = { 0 };

	in.main = &input->observation->processes[in.instance->main_idx];
	while (finding_next_thread(input->observation, in.instance_idx, &walk))
		in.computing += thread_computes(input->observation, walk.thread);
	return in;
}

int report_judge(const struct finding_input *in, const char *why, struct report *report)
{
	int r = 0;

	for (size_t t = 0; r == 0 && t < ARRAY_SIZE(tables); t++) {
		for (size_t k = 0; r == 0 && k < tables[t]->count; k++)
			r = apply(report, &tables[t]->rows[k], in);
	}
	return r < 0 ? r : checks_make(in, why, report);
}

int report_make(const struct report_input *input, struct report **ret_report, struct err *err)
{
	cleanup_report struct report *report = calloc(1, sizeof(*report));
	int r = report ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < input->observation->instance_count; i++) {
		const struct finding_input in = look_at(input, i);

		if (!in.instance->ended)
			r = report_judge(&in, NULL, report);
	}
	if (r < 0)
		return err_nomem(err);
	report_sort(report);
	*ret_report = TAKE(report);
	return 0;
}

void finding_clear(struct finding *finding)
{
	free(finding->text);
	free(finding->remedy);
	words_clear(&finding->evidence);
}

void check_clear(struct check *check)
{
	free(check->asked);
	free(check->granted);
	free(check->seen);
	words_clear(&check->evidence);
}

void report_clear(struct report *report)
{
	for (size_t i = 0; i < report->finding_count; i++)
		finding_clear(&report->findings[i]);
	for (size_t i = 0; i < report->check_count; i++)
		check_clear(&report->checks[i]);
	free(report->findings);
	free(report->checks);
	*report = (struct report){ .findings = NULL };
}

void report_free(struct report *report)
{
	if (report)
		report_clear(report);
	free(report);
}

const char *report_name(size_t i)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		if (i < tables[t]->count)
			return tables[t]->rows[i].id;
		i -= tables[t]->count;
	}
	return check_name(i);
}

size_t report_count(const struct report *report, enum severity severity)
{
	size_t count = 0;

	for (size_t i = 0; i < report->finding_count; i++)
		count += report->findings[i].severity == severity;
	return count;
}
