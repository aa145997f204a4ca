#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside a guest of two nodes with two threads a core: what 'fettle inspect' finds where only such a machine can have it,
# and a healthy twin of each. CPUs 0-1 and 2-3 are the cores of node 0.
# Usage: inspect.sh VARIANT
set -u
. ./tap.sh

# found ID: what the last look found has it.
found() {
	grep -q "\"id\": \"$1\"" found.json
}

missing() {
	! found "$1"
}

# look COMMAND...: start it, give it two seconds, look, and end it.
look() {
	"$@" &
	child=$!
	sleep 2
	fettle inspect --json --output found.json $child || echo "# fettle inspect failed: $?"
	kill -9 $child
	wait $child 2>/dev/null
}

look fettle run -q --nodes 0 --memory preferred -- lab-probe remote 1 100
ok "pages on another node than the plan's are found" found memory-remote
ok "with the share and the nodes" grep -q 'is on other nodes than 0' found.json
look fettle run -q --nodes 0 --memory preferred -- lab-probe remote 0 100
ok "pages where the plan has them are not" missing memory-remote

look lab-probe burn 0 1
ok "two threads on one core while others are free are found" found smt-shared
look lab-probe burn 0 2
ok "a thread on each of two cores is not" missing smt-shared

look fettle run -q --cpus 0,2,4,6 -- lab-probe team 2
ok "a team that the program made smaller is found" found threads-fewer
ok "with both counts" grep -q 'a team of 2 threads computes where 4 were planned' found.json
look fettle run -q --cpus 0,2,4,6 -- lab-probe team 0
ok "a team as planned is not" missing threads-fewer

fettle run -q --cpus 0,2 -- lab-probe burn any any &
child=$!
sleep 1
fettle inspect --json --output found.json $child
ok "CPUs that are there are not missed" missing cpu-offline
echo 0 >/sys/devices/system/cpu/cpu2/online
fettle inspect --json --output found.json $child
ok "a planned CPU that went offline is found" found cpu-offline
echo 1 >/sys/devices/system/cpu/cpu2/online
kill -9 $child

cgroup=/sys/fs/cgroup
mkdir -p $cgroup
grep -q " $cgroup " /proc/mounts || mount -t cgroup2 none $cgroup 2>/dev/null
if echo +cpu >$cgroup/cgroup.subtree_control 2>/dev/null && mkdir $cgroup/lab 2>/dev/null; then
	echo '100000 100000' >$cgroup/lab/cpu.max
	look sh -c "echo \$\$ >$cgroup/lab/cgroup.procs; exec lab-probe burn any any"
	ok "a quota of version 2 throttles" found quota-throttled
	ok "and is below the threads" found quota-below-threads
else
	skip "a quota of version 2 throttles" "no cgroup v2 with cpu"
fi

echo 1 >/proc/sys/kernel/numa_balancing 2>/dev/null
# Memory of a policy is left alone by it.
fettle run -q --nodes 0 --memory none -- lab-probe walk 100 &
child=$!
sleep 8
fettle inspect --json --output found.json $child
if grep -q 'total_numa_faults *: *[1-9]' /proc/$child/sched 2>/dev/null; then
	ok "a kernel that samples a bound program's pages is found" found numa-balancing
else
	skip "a kernel that samples a bound program's pages is found" "it has not done so here"
fi
kill -9 $child
echo 0 >/proc/sys/kernel/numa_balancing
look fettle run -q --nodes 0 --memory none -- lab-probe walk 100
ok "one that does not is not" missing numa-balancing
tap_done
