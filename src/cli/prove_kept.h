/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What 'fettle prove' found and others use: the result that 'fettle doctor' cites, and the profile of what won.
 */
#pragma once

#include <jansson.h>

struct err;
struct machine;
struct prove_result;
struct prove_session;

/* Keep the result of our own workload, of this machine as it may be used now. A user's program says nothing of a host:
 * its result is not kept. Returns 0 or -errno. */
int prove_kept_store(const struct prove_session *session, const struct prove_result *result, struct err *err);

/* What was kept of this machine (the caller decrefs it), or NULL. */
json_t *prove_kept_load(const struct machine *machine);

/*
 * Write the options of what was worth it as a profile, of each family the best. Refused with -ENODATA where nothing
 * was. Returns 0 or -errno.
 */
int prove_profile_save(const struct prove_session *session, const char *name, struct err *err);
