/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `fettle run` is about to start.
 */
#pragma once

#include "joint/decide.h"
#include "launch/supervise.h"

#include <jansson.h>

struct start {
	struct decision decision;
	json_t *request; /* of a saved plan */
	struct launch_program program;
	struct launch_child *children;
	size_t count;
};

/* The exit code of a program that could not be started, from the launch's -errno. */
int start_exit_code(int code);
