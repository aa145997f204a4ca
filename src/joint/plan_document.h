/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan document, fettle.plan/1 (docs: contract): machine, request, plan
 * and settings joined into one file, and read back.
 */
#pragma once

#include <jansson.h>

struct err;
struct machine;
struct plan;
struct settings;
struct workload;

/* `request` NULL: that of the workload. The caller decrefs the result. */
int plan_document_to_json(const struct machine *machine, const struct workload *workload, const json_t *request,
			  const struct plan *plan, const struct settings *settings, json_t **ret_document,
			  struct err *err);

/* As the bytes of a file, ending in a newline. The caller frees them; NULL when memory ran out. */
char *json_document_text(const json_t *document);

/*
 * Read a saved document. Returns 0 and plan and settings for their _free(), the request for json_decref();
 * -EINVAL or the errno of the file, with a line naming file and key.
 */
int plan_document_read(const char *file, struct plan **ret_plan, struct settings **ret_settings, json_t **ret_request,
		       struct err *err);
