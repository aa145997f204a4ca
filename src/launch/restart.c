/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/restart.h"

bool restart_next(struct restart *restart, int limit, uint64_t ran_ms, uint64_t *ret_pause_ms)
{
	uint64_t pause_ms = restart->pause_ms * 2;

	if (limit >= 0 && restart->count >= (unsigned)limit)
		return false;
	if (!pause_ms || ran_ms >= RESTART_CALM_MS)
		pause_ms = RESTART_FIRST_MS;
	restart->pause_ms = pause_ms < RESTART_LONGEST_MS ? pause_ms : RESTART_LONGEST_MS;
	restart->count++;
	*ret_pause_ms = restart->pause_ms;
	return true;
}
