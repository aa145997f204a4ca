/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many processes will compute at a time, where the program only starts others: torchrun, by its words.
 */
#pragma once

/*
 * The number of --nproc-per-node, where words[0], as the program was named, is torchrun or a Python with `-m
 * torch.distributed.run` or `.launch` (torchrun's documentation, Usage). 1: it starts one, none are named, or it is
 * another program; UINT_MAX: one a CPU ("auto", "cpu"), or as many as there are GPUs. `words`: NULL-terminated, may be
 * empty.
 */
unsigned workers_of(char *const *words);
