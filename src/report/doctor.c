/* SPDX-License-Identifier: Apache-2.0 */
#include "report/doctor.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "report/doctor_rule.h"

#include <stdarg.h>
#include <string.h>

const char *const doctor_verdict_words[DOCTOR_VERDICT_COUNT] = { "costs", "blocked", "unknown", "good" };

static const struct doctor_rules *const tables[] = { &doctor_cpu_rules, &doctor_clock_rules,   &doctor_memory_rules,
						     &doctor_isa_rules, &doctor_library_rules, &doctor_right_rules };

const struct fact *doctor_fact(const struct doctor_input *in, enum host_fact fact)
{
	return &in->machine->host->facts[fact];
}

uint64_t doctor_number(const struct doctor_input *in, enum host_fact fact)
{
	return doctor_fact(in, fact)->state == FACT_KNOWN ? doctor_fact(in, fact)->value : 0;
}

bool doctor_is(const struct doctor_input *in, enum host_fact fact, const char *word)
{
	return doctor_fact(in, fact)->state == FACT_KNOWN && strcmp(doctor_fact(in, fact)->raw, word) == 0;
}

/* Take over a line of evidence. */
static void add_evidence(struct doctor_say *say, char *line)
{
	char **grown = array_grow(say->evidence, &say->evidence_capacity, say->evidence_count, sizeof(*say->evidence));

	if (grown)
		say->evidence = grown;
	if (!grown || !line) {
		free(line);
		say->failed = true;
		return;
	}
	say->evidence[say->evidence_count++] = line;
}

void doctor_show(struct doctor_say *say, const char *format, ...)
{
	char *line = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		line = NULL;
	va_end(args);
	add_evidence(say, line);
}

void doctor_show_fact(struct doctor_say *say, const char *name, const struct fact *fact)
{
	const char *const source = fact->source ? fact->source : name;

	if (fact->state == FACT_ABSENT)
		doctor_show(say, "%s: %s", source, fact->raw ? fact->raw : "not there");
	else if (fact->raw)
		doctor_show(say, "%s: %s", source, fact->raw);
	else if (fact->state == FACT_KNOWN)
		doctor_show(say, "%s: %llu", source, (unsigned long long)fact->value);
	else
		doctor_show(say, "%s: unknown", source);
}

/* The row's sentence with what the test had to say in the place of each "{}"; NULL when memory ran out. */
static char *fill(const char *sentence, struct text *detail)
{
	cleanup_text struct text text = TEXT_INIT;
	cleanup_free char *words = text_take(detail);
	const char *mark;

	if (!words)
		return NULL;
	for (; (mark = strstr(sentence, "{}")); sentence = mark + strlen("{}")) {
		text_add_bytes(&text, sentence, (size_t)(mark - sentence));
		text_add(&text, "%s", words);
	}
	text_add(&text, "%s", sentence);
	return text_take(&text);
}

/* Are the facts there that the rule needs? Each is evidence either way. */
static bool has_facts(const struct doctor_rule *rule, const struct doctor_input *in, struct doctor_say *say)
{
	bool all = true;

	for (unsigned i = 0; i < rule->fact_count; i++) {
		const struct host *host = in->machine->host;

		if (host)
			doctor_show_fact(say, host_fact_name(rule->facts[i]), &host->facts[rule->facts[i]]);
		else
			doctor_show(say, "%s: the source does not tell", host_fact_name(rule->facts[i]));
		all = all && host && host->facts[rule->facts[i]].state != FACT_UNKNOWN;
	}
	if (rule->live && !in->machine->may) {
		doctor_show(say, "only the machine itself can tell");
		all = false;
	}
	if (rule->libraries && !in->libraries) {
		doctor_show(say, "only the machine itself can tell");
		all = false;
	}
	return all;
}

static int judge(const struct doctor_rule *rule, const struct doctor_input *in, struct doctor_say *say,
		 struct doctor_judgement *ret_judgement)
{
	const enum doctor_verdict verdict = has_facts(rule, in, say) ? rule->test(in, say) : DOCTOR_UNKNOWN;
	const char *const sentences[DOCTOR_VERDICT_COUNT] = {
		[DOCTOR_COSTS] = rule->costs,
		[DOCTOR_BLOCKED] = rule->blocked,
		[DOCTOR_UNKNOWN] = rule->unknown,
		[DOCTOR_GOOD] = rule->good,
	};
	const bool bad = verdict == DOCTOR_COSTS || verdict == DOCTOR_BLOCKED;
	struct doctor_judgement judgement = { .id = rule->id, .verdict = verdict };

	judgement.text = fill(sentences[verdict] ? sentences[verdict] : "not known", &say->detail);
	if (bad && rule->cost)
		judgement.cost = fill(rule->cost, &say->cost);
	if (bad && rule->remedy)
		judgement.remedy = fill(rule->remedy, &say->remedy);
	judgement.evidence = TAKE(say->evidence);
	judgement.evidence_count = say->evidence_count;
	*ret_judgement = judgement;
	return say->failed || !judgement.text || (bad && rule->cost && !judgement.cost) ||
			       (bad && rule->remedy && !judgement.remedy)
		       ? -ENOMEM
		       : 0;
}

static int apply(const struct doctor_rule *rule, const struct doctor_input *in, struct doctor_judgement *ret_judgement)
{
	struct doctor_say say = { .detail = TEXT_INIT };
	int r = judge(rule, in, &say, ret_judgement);

	text_clear(&say.detail);
	text_clear(&say.cost);
	text_clear(&say.remedy);
	return r;
}

/* Worst first; the order of the tables within one verdict. */
static void sort(struct doctor *doctor)
{
	for (size_t i = 1; i < doctor->count; i++) {
		const struct doctor_judgement moved = doctor->items[i];
		size_t place = i;

		for (; place > 0 && doctor->items[place - 1].verdict > moved.verdict; place--)
			doctor->items[place] = doctor->items[place - 1];
		doctor->items[place] = moved;
	}
}

int doctor_make(const struct doctor_input *input, struct doctor **ret_doctor, struct err *err)
{
	cleanup_doctor struct doctor *doctor = calloc(1, sizeof(*doctor));
	size_t count = 0;

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		count += tables[t]->count;
	if (doctor)
		doctor->items = calloc(count, sizeof(*doctor->items));
	if (!doctor || !doctor->items)
		return err_nomem(err);
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			if (apply(&tables[t]->rows[i], input, &doctor->items[doctor->count++]) < 0)
				return err_nomem(err);
		}
	}
	sort(doctor);
	*ret_doctor = TAKE(doctor);
	return 0;
}

void doctor_free(struct doctor *doctor)
{
	if (!doctor)
		return;
	for (size_t i = 0; i < doctor->count; i++) {
		struct doctor_judgement *judgement = &doctor->items[i];

		for (size_t k = 0; k < judgement->evidence_count; k++)
			free(judgement->evidence[k]);
		free(judgement->evidence);
		free(judgement->text);
		free(judgement->cost);
		free(judgement->remedy);
	}
	free(doctor->items);
	free(doctor);
}

size_t doctor_count(const struct doctor *doctor, enum doctor_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < doctor->count; i++)
		count += doctor->items[i].verdict == verdict;
	return count;
}
