# SPDX-License-Identifier: Apache-2.0
# The first to fail names the exit code; its sibling is stopped, not waited for.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
fettle run -q --instances 2 -- sh -c 'case $FETTLE_PLAN in *i=1/*) exit 5;; esac; exec sleep 50'
