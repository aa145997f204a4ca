/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a command name can mean: the name itself, or one candidate for each folder of PATH.
 */
#pragma once

#include <stdbool.h>

struct search {
	const char *name;
	char *folders; /* what is searched, owned */
	const char *rest;
	bool done;
};

/* Start looking for `name` in `path` (NULL: the system's default path). Returns 0 or -ENOMEM. */
int search_begin(struct search *search, const char *name, const char *path);

/* The next candidate; the caller frees it. Returns 1, 0 when there is none left, or -ENOMEM. */
int search_next(struct search *search, char **ret_candidate);

/* Would execvp() go on to the next folder after this errno? */
bool search_goes_on(int code);

void search_end(struct search *search);
#define cleanup_search cleanup_(search_end)
