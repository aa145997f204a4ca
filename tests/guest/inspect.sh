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

# look_at PID: once.
look_at() {
	fettle inspect --json --output found.json $1 || echo "# fettle inspect failed: $?"
}

# until_found ID PID: looks until it is found, half a minute at most: the program may not have come so far, for the guest
# is as slow as the machine below it is busy.
until_found() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		sleep 2
		look_at $2
		found $1 && return
	done
}

end() {
	kill -9 $child
	wait $child 2>/dev/null
}

# look COMMAND...: start it, give it two seconds, look, and end it.
look() {
	"$@" &
	child=$!
	sleep 2
	look_at $child
	end
}

# look_for ID COMMAND...: start it, look until it is found, and end it.
look_for() {
	id=$1
	shift
	"$@" &
	child=$!
	until_found $id $child
	end
}

look_for memory-remote fettle run -q --nodes 0 --memory preferred -- lab-probe remote 1 100
ok "pages on another node than the plan's are found" found memory-remote
ok "with the share and the nodes" grep -q 'is on other nodes than 0' found.json
look fettle run -q --nodes 0 --memory preferred -- lab-probe remote 0 100
ok "pages where the plan has them are not" missing memory-remote

look_for smt-shared lab-probe burn 0 1
ok "two threads on one core while others are free are found" found smt-shared
look lab-probe burn 0 2
ok "a thread on each of two cores is not" missing smt-shared

look_for threads-fewer fettle run -q --cpus 0,2,4,6 -- lab-probe team 2
ok "a team that the program made smaller is found" found threads-fewer
ok "with both counts" grep -q 'a team of 2 threads computes where 4 were planned' found.json
look fettle run -q --cpus 0,2,4,6 -- lab-probe team 0
ok "a team as planned is not" missing threads-fewer

fettle run -q --cpus 0,2 -- lab-probe burn any any &
child=$!
sleep 2
look_at $child
ok "CPUs that are there are not missed" missing cpu-offline
echo 0 >/sys/devices/system/cpu/cpu2/online
until_found cpu-offline $child
ok "a planned CPU that went offline is found" found cpu-offline
echo 1 >/sys/devices/system/cpu/cpu2/online
end

cgroup=/sys/fs/cgroup
mkdir -p $cgroup
grep -q " $cgroup " /proc/mounts || mount -t cgroup2 none $cgroup 2>/dev/null
if echo +cpu >$cgroup/cgroup.subtree_control 2>/dev/null && mkdir $cgroup/lab 2>/dev/null; then
	echo '100000 100000' >$cgroup/lab/cpu.max
	look_for quota-throttled sh -c "echo \$\$ >$cgroup/lab/cgroup.procs; exec lab-probe burn any any"
	ok "a quota of version 2 throttles" found quota-throttled
	ok "and is below the threads" found quota-below-threads
else
	skip "a quota of version 2 throttles" "no cgroup v2 with cpu"
fi

echo 1 >/proc/sys/kernel/numa_balancing 2>/dev/null
# Memory of a policy is left alone by it.
fettle run -q --nodes 0 --memory none -- lab-probe walk 100 &
child=$!
sleep 6
until_found numa-balancing $child
if grep -q 'total_numa_faults *: *[1-9]' /proc/$child/sched 2>/dev/null; then
	ok "a kernel that samples a bound program's pages is found" found numa-balancing
else
	skip "a kernel that samples a bound program's pages is found" "it has not done so here"
fi
end
echo 0 >/proc/sys/kernel/numa_balancing
look fettle run -q --nodes 0 --memory none -- lab-probe walk 100
ok "one that does not is not" missing numa-balancing
tap_done
