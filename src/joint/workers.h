/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many processes will compute at a time, where the program only starts others: torchrun, by its words.
 */
#pragma once

/*
 * The number of --nproc-per-node, else `variable`, PET_NPROC_PER_NODE's value (NULL: not set), where the program is
 * torchrun or a Python with `-m torch.distributed.run` or `.launch`, as it was named, with or without others in front
 * ("timeout 60 torchrun") (torchrun's documentation, Usage; its argparse_util.py). 1: it starts one, none are named, or
 * it is another program; UINT_MAX: one a CPU ("auto", "cpu"), or as many as there are GPUs. `words`: NULL-terminated,
 * may be empty.
 */
unsigned workers_of(char *const *words, const char *variable);
