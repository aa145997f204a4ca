/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/onednn_speak.h"

#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/parse.h"
#include "cli/output.h"
#include "joint/decide.h"
#include "joint/options.h"
#include "machine/host.h"
#include "machine/machine.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * Creations and executions, and since 3.0 what primitives make inside others. oneDNN 3 reads both words of the first;
 * to oneDNN 2 it is longer than a number can be and so not set, and it reads the second (seen with 2.6.3 and 3.12.0).
 */
static const char *const speak[] = { "ONEDNN_VERBOSE=2,debuginfo=1", "DNNL_VERBOSE=2" };

/* Read in this order. */
static const char *const verbose_names[] = { "ONEDNN_VERBOSE", "DNNL_VERBOSE" };
static const char *const capacity_names[] = { "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "MKLDNN_PRIMITIVE_CACHE_CAPACITY",
					      "DNNL_PRIMITIVE_CACHE_CAPACITY" };

const char onednn_nothing_printed[] =
	"the program printed no line of oneDNN: it does not use it, or its oneDNN was built without ONEDNN_VERBOSE";

/* The first of these variables that is set, or NULL. */
static const char *first_set(const char *const *names, size_t count, const char **ret_value)
{
	for (size_t i = 0; i < count; i++) {
		*ret_value = environ_value((const char *const *)environ, names[i]);
		if (*ret_value)
			return names[i];
	}
	return NULL;
}

int onednn_speak(struct err *err)
{
	const char *value, *name = first_set(verbose_names, ARRAY_SIZE(verbose_names), &value);

	if (name)
		output_line("%s='%s' is the user's and stays: what it leaves out is not collected", name, value);
	for (size_t i = 0; !name && i < ARRAY_SIZE(speak); i++) {
		if (putenv((char *)speak[i]) != 0) /* which never writes to it */
			return err_nomem(err);
	}
	return 0;
}

unsigned onednn_capacity_asked(const struct options *options)
{
	const char *value;
	unsigned capacity = 0;

	if (!first_set(capacity_names, ARRAY_SIZE(capacity_names), &value))
		return options->request.onednn_cache;
	return parse_unsigned(value, &capacity) < 0 ? 0 : capacity;
}

const char *onednn_processor_flags(struct decision *decision)
{
	const struct options live = { .machine = NULL };
	struct err err = { 0 };
	const struct fact *isa;

	if (decide_machine(&live, false, decision, &err) < 0 || machine_read_host(decision->machine, 0, &err) < 0 ||
	    !decision->machine->host)
		return NULL;
	isa = &decision->machine->host->facts[HOST_ISA];
	return isa->state == FACT_KNOWN ? isa->raw : NULL;
}
