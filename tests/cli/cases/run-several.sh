# SPDX-License-Identifier: Apache-2.0
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
fettle run -q --instances 2 -- sh -c 'echo ${FETTLE_PLAN%%;cpus*}' | sort
