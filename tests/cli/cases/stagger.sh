# SPDX-License-Identifier: Apache-2.0
# --stagger: the second starts no sooner than asked; a failure before its turn keeps it from starting.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
fettle run -q --instances 2 --stagger 1000 -- sh -c 'date +%s%N >$FETTLE_INSTANCE; sleep 0.1'
test $(($(cat 1) - $(cat 0))) -ge 500000000
fettle run -q --instances 2 --stagger 300 -- sh -c 'echo started $FETTLE_INSTANCE; exit 3' || echo "exit $?"
