# SPDX-License-Identifier: Apache-2.0
# --verify: one line when all is as planned; else findings, then asked, granted and seen.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
shown() {
	fettle run "$@" 2>&1 | grep -v "'fettle plan' says why" | sed -E 's/ended after [0-9]+ ms/ended after N ms/; s/[0-9]+ variables/N variables/g; s/[0-9] of [0-9] threads/N threads/; s/  (that is too short|the others may).*/  WHY/; /neighbours-busy/,+1d; / threads +0  1 /d'
}
echo '# a program that sleeps'
shown --verify --no agent --threads 2 -- sleep 1
echo '# one that leaves its CPU'
shown --verify --no agent --cpus 0 -- sh -c 'taskset -cp 0-1 $$ >taskset; sleep 1'
echo '# the same in few words'
shown --verify -q --no agent --cpus 0 -- sh -c 'taskset -cp 0-1 $$ >taskset; sleep 1'
echo '# never started'
shown --verify -- ./none
