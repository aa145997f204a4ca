/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds for every container: what its image must bring, and memory policies that only a program inside can ask
 * for.
 */
#pragma once

#include <stdbool.h>

struct emit_input;
struct plan_instance;
struct text;

/*
 * Append the option of numactl(8) that must stand in front of the program. False: nothing must. `mems`: the form binds
 * memory by itself.
 */
bool container_policy(const struct emit_input *in, const struct plan_instance *instance, bool mems, struct text *text);
bool container_any_policy(const struct emit_input *in, bool mems);

/* Say so in comments. */
void container_comments(const struct emit_input *in, bool mems, struct text *text);

/* Say which libraries the image needs, where the plan preloads any. */
void container_preloads(const struct emit_input *in, const char *indent, struct text *text);
