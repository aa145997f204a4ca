# SPDX-License-Identifier: Apache-2.0
# --stagger: the second starts no sooner than asked; a failure before its turn keeps it from starting.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
# When the kernel made the process (proc_pid_stat(5): 22, in hundredths of a second), not when it got a CPU.
fettle run -q --instances 2 --stagger 1000 -- sh -c 'cut -d " " -f 22 /proc/$$/stat >$FETTLE_INSTANCE; sleep 0.1'
test $(($(cat 1) - $(cat 0))) -ge 90
fettle run -q --instances 2 --stagger 300 -- sh -c 'echo started $FETTLE_INSTANCE; exit 3' || echo "exit $?"
