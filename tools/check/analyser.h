/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read before every file that clang-tidy looks at, err.c excepted. The analyser sees one file at a
 * time and does not know that these always return a negative number: without this, each
 * caller looks as if it went on with outputs that were never set.
 */
#pragma once

#include "../../src/base/err.h"

#define err_set(err, code, ...)   ((void)(err_set)(err, code, __VA_ARGS__), -1)
#define err_errno(err, code, ...) ((void)(err_errno)(err, code, __VA_ARGS__), -1)
#define err_wrap(err, ...)        ((void)(err_wrap)(err, __VA_ARGS__), -1)
#define err_hint(err, ...)        ((void)(err_hint)(err, __VA_ARGS__), -1)
#define err_nomem(err)            ((void)(err_nomem)(err), -1)
