/* SPDX-License-Identifier: Apache-2.0 */
/* A library that runs OpenMP teams, as a Python module's does. */
void run_teams(void);

void run_teams(void)
{
	for (;;) {
#pragma omp parallel
		for (int i = 0; i < 20000000; i++)
			__asm__ volatile("");
	}
}
