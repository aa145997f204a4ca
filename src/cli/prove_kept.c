/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prove_kept.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/keep.h"
#include "cli/command.h"
#include "cli/prove_session.h"
#include "joint/cache_folder.h"
#include "joint/plan_document.h"
#include "machine/machine.h"

#include <string.h>
#include <time.h>

static const char KIND[] = "proof";

/* The machine and what we may use of it: on another share of it another result may be right. */
static char *key_of(const struct machine *machine)
{
	cleanup_free char *summary = machine_summary(machine);
	char *key = NULL;

	if (!summary || asprintf(&key, "fettle.prove/1\n%s\n%s", machine->model ? machine->model : "?", summary) < 0)
		return NULL;
	return key;
}

static void today(char ret_date[16])
{
	const time_t now = time(NULL);
	struct tm date;

	if (!gmtime_r(&now, &date) || !strftime(ret_date, 16, "%Y-%m-%d", &date))
		ret_date[0] = '\0';
}

int prove_kept_store(const struct prove_session *session, const struct prove_result *result, struct err *err)
{
	cleanup_free char *folder = cache_folder(), *key = key_of(session->machine), *text = NULL;
	json_t *document;
	char date[16];
	int r;

	if (!session->facts.built_in || !folder || prove_noise(result) < 0)
		return 0;
	document = prove_to_json(result);
	today(date);
	if (!key || !document || json_object_set_new(document, "date", json_string(date)) < 0) {
		json_decref(document);
		return err_nomem(err);
	}
	text = json_document_text(document);
	json_decref(document);
	if (!text)
		return err_nomem(err);
	r = keep_store(folder, KIND, key, text, strlen(text));
	return r < 0 ? err_errno(err, r, "'%s'", folder) : 0;
}

json_t *prove_kept_load(const struct machine *machine)
{
	cleanup_free char *folder = cache_folder(), *key = key_of(machine);
	cleanup_kept struct kept kept = { .file = NULL };
	json_t *document;
	const char *schema;

	if (!folder || !key || keep_load(folder, KIND, key, &kept) < 0)
		return NULL;
	document = json_loadb(kept.bytes, kept.length, JSON_REJECT_DUPLICATES, NULL);
	schema = json_string_value(json_object_get(document, "schema"));
	if (schema && strcmp(schema, "fettle.prove/1") == 0)
		return document;
	json_decref(document);
	return NULL;
}
