# SPDX-License-Identifier: Apache-2.0
fettle plan --json --no allocator --output plan.json
OMP_NUM_THREADS=7 fettle run --plan plan.json -- \
	sh -c 'echo $OMP_NUM_THREADS; case ${FETTLE_PLAN#*set=} in *OMP_NUM_THREADS*) echo claimed;; esac'
