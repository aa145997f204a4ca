/* SPDX-License-Identifier: Apache-2.0 */
/* What loader.c (where is looked) and loader_file.c (what is made of one file) share. */
#pragma once

#include "target/loader.h"

/* Beside enum loader_answer: the file is not taken, and the rest of the list that led to it is not looked at. */
enum { LOADER_LIST_ENDS = LOADER_STOPPED + 1 };

/*
 * Try one file on the way to a name. Returns LOADER_NONE: it is passed over; LOADER_FOUND or LOADER_STOPPED with
 * `ret_file` for loader_file_clear(); LOADER_LIST_ENDS; or -ENOMEM.
 */
int loader_try(const struct loader *loader, const char *path, enum loader_way way, struct loader_file *ret_file);
