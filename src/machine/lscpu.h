/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved `lscpu` text as a machine. It holds less than a topology does: memory sizes, distances and
 * limits are unknown, and what the text does not tell is not guessed.
 */
#pragma once

struct err;
struct machine;
struct source;

/*
 * Fill everything of `machine` that the text of `source` tells, whichever of lscpu's forms it is in
 * (several in one file complete each other). Every online CPU counts as allowed.
 * Returns 0, -ENOMEM, or -EINVAL with one line that names what is wrong or missing.
 */
int lscpu_read(const struct source *source, struct machine *machine, struct err *err);
