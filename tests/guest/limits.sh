#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside a guest of variant 2n: cgroup v2 limits, partitions, isolated and offline CPUs, a CPU that goes between plan and
# bind. In each the machine's facts and the plan must be right, and an OpenMP team must really run where the plan says.
set -u
# Paths: busybox's shell takes its own unshare before any other.
fettle=fettle thread_places=thread-places
. ./tap.sh
. ./facts.sh

top=/sys/fs/cgroup
echo '+cpuset +cpu +memory' >$top/cgroup.subtree_control

# group NAME FILE=TEXT...: make a group with these files.
group() {
	folder=$top/$1
	mkdir "$folder" || return
	shift
	for pair in "$@"; do
		echo "${pair#*=}" >"$folder/${pair%%=*}"
	done
}

# within NAME COMMAND...: run it as a member of the group.
within() {
	folder=$1
	shift
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$top/$folder" "$@"
}

# probed COMMAND...: the nodes that the pages of page-probe lie on, whoever touched them.
probed() {
	"$@" page-probe >pages || { echo "the probe failed"; return; }
	awk '$1 != "huge" { for (i = 3; i <= NF; i++) { sub(":.*", "", $i); seen[$i] = 1 } }
		END { for (node = 0; node < 8; node++) if (node in seen) printf "%s%d", (n++ ? "," : ""), node }' pages
}

is "nothing limits: the whole machine" "$(as_planned '' env)" "0,2,4,6 4 threads"
is "with hyper-threads" "$(as_planned --smt env)" "0-7 8 threads"
is "one node" "$(as_planned '--nodes 1' env)" "4,6 2 instance"

group cpus cpuset.cpus=1,3-5
is "cpuset.cpus: the machine" "$(fact pus_os within cpus $fettle machine --json | head -n 1)" 0-3
is "cpuset.cpus: threads" "$(fact usable_threads within cpus $fettle machine --json)" 3
is "cpuset.cpus: run" "$(as_planned '' within cpus)" "1,3-4 3 threads"
is "cpuset.cpus: run on one node" "$(as_planned '--nodes 0 --smt' within cpus)" "1,3 2 instance"
is "a CPU outside it is refused" "$(within cpus $fettle plan --cpus 0 >/dev/null 2>&1; echo $?)" 2
is "seen from a cgroup namespace" "$(as_planned '' within cpus /usr/bin/unshare -C)" "1,3-4 3 threads"

group nodes cpuset.cpus=0-7 cpuset.mems=1
ok "cpuset.mems: the machine" sh -c "$(printf '%s' "sh -c 'echo \$\$ >$top/nodes/cgroup.procs; fettle machine --json'") | tr -d ' \n' | grep -q '\"pus_os\":\"0-7\",\"nodes_os\":\"1\"'"
for word in auto none local bind preferred interleave; do
	is "cpuset.mems: --memory $word on node 0's CPUs plans node 1" \
		"$(fact nodes_os within nodes $fettle plan --nodes 0 --memory $word --json)" 1
	is "cpuset.mems: --memory $word puts the pages there" \
		"$(probed within nodes $fettle run -q --nodes 0 --memory $word --)" 1
done
is "as numactl" "$(probed within nodes taskset -c 0-3 numactl --localalloc)" 1
ok "the nearest memory is said" sh -c "echo \$\$ >$top/nodes/cgroup.procs; fettle plan --nodes 0 | tr -d '\n' | grep -q 'node 1 is the *nearest'"

group outer cpu.max='150000 100000'
echo '+cpu' >$top/outer/cgroup.subtree_control
group outer/inner cpu.max='400000 100000'
is "cpu.max: a parent's tighter quota" "$(fact cpu_quota within outer/inner $fettle machine --json)" 1.5
is "cpu.max: runs one thread" "$(fact threads within outer/inner $fettle plan --json)" 1
echo '800000 100000' >$top/outer/cpu.max
echo '250000 100000' >$top/outer/inner/cpu.max
is "cpu.max: a child's tighter one" "$(fact cpu_quota within outer/inner $fettle machine --json)" 2.5
is "cpu.max: two threads where planned" "$(as_planned '' within outer/inner | cut -d ' ' -f 2-)" "2 instance"
is "cpu.max: in a cgroup namespace" "$(fact cpu_quota within outer/inner /usr/bin/unshare -C $fettle machine --json)" 2.5
echo max >$top/outer/inner/cpu.max
is "cpu.max: the parent's, seen only by the parent" "$(fact cpu_quota within outer/inner $fettle machine --json)" 8.0

group memory memory.max=134217728
is "memory.max: the machine" "$(fact memory_limit_bytes within memory $fettle machine --json)" 134217728
ok "memory.max: no room to keep 4 GiB of freed memory" sh -c \
	"echo \$\$ >$top/memory/cgroup.procs; ! $fettle run -q -- env | grep -q trim_threshold=4294967296"
is "memory.max: run" "$(as_planned '--nodes 1' within memory)" "4,6 2 instance"

# Siblings must be exclusive.
rmdir $top/cpus $top/nodes
group part cpuset.cpus=4-7
echo root >$top/part/cpuset.cpus.partition
is "a partition root holds" "$(cat $top/part/cpuset.cpus.partition)" root
is "partition root: run" "$(as_planned '' within part)" "4,6 2 instance"
is "what is left outside it" "$(as_planned '' env)" "0,2 2 instance"
echo isolated >$top/part/cpuset.cpus.partition
is "an isolated partition holds" "$(cat $top/part/cpuset.cpus.partition)" isolated
is "isolated: each thread on a CPU of its own" "$(as_planned '' within part)" "4,6 2 threads"
is "isolated: hyper-threads too" "$(as_planned --smt within part)" "4-7 4 threads"
ok "isolated: the reason is said" sh -c \
	"echo \$\$ >$top/part/cgroup.procs; $fettle plan | tr -d ' \n' | grep -q 'part/cpuset.cpus.partition'"
echo '+cpuset' >$top/part/cgroup.subtree_control
group part/member
is "a group inside it" "$(as_planned '' within part/member)" "4,6 2 threads"
is "what is left outside is balanced" "$(as_planned '' env)" "0,2 2 instance"
ok "--pin instance there is warned of" sh -c \
	"echo \$\$ >$top/part/member/cgroup.procs; $fettle plan --pin instance | tr -d ' \n' | grep -q 'mayallstayonone'"
rmdir $top/part/member $top/part

# Every start since the first could use what that remembered: nothing above or below may come from it.
ok "the topology is remembered" sh -c 'ls ~/.cache/fettle | grep -q ^topology-'
echo 0 >/sys/devices/system/cpu/cpu5/online
is "offline: the machine" "$(fact pus $fettle machine --json)" 7
is "offline: run" "$(as_planned '--nodes 1 --smt' env)" "4,6-7 3 instance"
echo 0 >/sys/devices/system/cpu/cpu4/online
is "offline: a core less" "$(as_planned '' env)" "0,2,6 3 threads"
is "offline: it is refused" "$($fettle plan --cpus 4 >/dev/null 2>&1; echo $?)" 2
echo 1 >/sys/devices/system/cpu/cpu4/online
is "online again" "$(as_planned '' env)" "0,2,4,6 4 threads"

echo 1 >/sys/devices/system/cpu/cpu5/online
# A CPU goes after the plan was made and before the program is bound.
off='echo 0 >/sys/devices/system/cpu/cpu4/online'
is "offline in between: bound to what is left of the core" \
	"$(gate --before sched_setaffinity "$off" $fettle run --nodes 1 -- sh -c 'grep Cpus_allowed_list /proc/self/status' 2>said |
		cut -f 2)" "5-6"
is "which is said once" "$(grep -c . said) $(grep -c 'planned again' said)" "2 1"
echo 1 >/sys/devices/system/cpu/cpu4/online

tap_done
