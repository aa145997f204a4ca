/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose pool a thread belongs to, by signs that /proc gives.
 */
#pragma once

struct observed_process;

/*
 * Set `pool` of all threads of a process whose objects are known. The signs, the first that speaks counts:
 *  1. the code from which a waiting thread was called lies in a runtime's library (GNU's libgomp sleeps by calling the
 *     kernel itself);
 *  2. the thread's name begins as that pool names its threads;
 *  3. the thread has the process's own name, as those have that nobody named, and one library only is mapped that
 *     keeps a pool of nameless threads.
 * The main thread is in no pool by the last two.
 */
void pools_tell(struct observed_process *process);
