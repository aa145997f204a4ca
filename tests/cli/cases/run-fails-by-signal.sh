# SPDX-License-Identifier: Apache-2.0
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
fettle run -q --instances 2 -- sh -c 'case $FETTLE_PLAN in *i=0/*) kill -KILL $$;; esac; exec sleep 50'
