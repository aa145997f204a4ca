/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many processes will compute at a time, where the program only starts others: torchrun, gunicorn, uvicorn and the
 * like, by their words and variables.
 */
#pragma once

struct workload;

/*
 * The number that the words give such a program, else a variable of `workload`'s environment: --nproc-per-node and
 * PET_NPROC_PER_NODE (torchrun's documentation, Usage; its argparse_util.py), --workers, GUNICORN_CMD_ARGS and
 * WEB_CONCURRENCY (gunicorn's "Configuration Overview" and settings, "workers"; uvicorn's, "Production"). The program
 * may have others in front of it, or a Python: "timeout 60 torchrun", "python -m gunicorn". 1: it starts one, none are
 * named, or it is another program; UINT_MAX: one a CPU ("auto", "cpu"), or as many as there are GPUs. What a
 * configuration file says is not seen. `words`: NULL-terminated, may be empty. Returns 0 or -ENOMEM.
 */
int workers_of(char *const *words, const struct workload *workload, unsigned *ret_count);
