#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Limits for real: affinity, CPU quotas and memory limits of cgroups made here (v1 as root), nested and seen from inside
# a namespace; each must reach the machine's facts and the plan.
# Usage: limits.sh FETTLE [THREAD_PLACES]
set -u
fettle=$1 thread_places=${2-}
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/cgroup.sh"
. "$(dirname "$0")/facts.sh"

# With the topology remembered from here on, every plan below shows that no limit was.
export XDG_CACHE_HOME="$work/cache"
mkdir "$XDG_CACHE_HOME"
"$fettle" plan >/dev/null

# runs NAME DUE OPTIONS COMMAND...: an OpenMP team under these limits runs where the plan says; DUE is its "PUS THREADS PIN".
runs() {
	name=$1 due=$2
	shift 2
	if [ -n "$thread_places" ]; then
		is "$name" "$(as_planned "$@")" "$due"
	else
		skip "$name" "built without OpenMP"
	fi
}

cpus=$(nproc)

ok "the live machine is read" "$fettle" machine --json --output "$work/machine.json"
is "all allowed CPUs are the affinity mask" "$(fact usable_threads "$fettle" machine --json)" "$cpus"
if [ "$cpus" -ge 2 ]; then
	is "taskset narrows what may be used" "$(fact usable_threads taskset -c 0 "$fettle" machine --json)" 1
	is "and the plan with it" "$(fact pus_os taskset -c 1 "$fettle" plan --json)" 1
	runs "and the threads" "1 1 instance" '' taskset -c 1
else
	skip "taskset narrows what may be used" "one CPU"
fi

outer=$(group cpu "fettle-test-$$")
if [ -n "$outer" ] && [ -w "$outer/cpu.cfs_quota_us" ]; then
	groups="$outer"
	echo 100000 >"$outer/cpu.cfs_period_us"
	echo 150000 >"$outer/cpu.cfs_quota_us"
	is "a quota of 1.5 CPUs is seen" "$(fact cpu_quota within "$outer" "$fettle" machine --json)" 1.5
	is "and plans one thread" "$(fact threads within "$outer" "$fettle" plan --json)" 1
	is "the program gets it" "$(within "$outer" "$fettle" run -q -- sh -c 'echo $OMP_NUM_THREADS')" 1
	ok "the reason names the file" sh -c "echo \$\$ >'$outer/cgroup.procs'; '$fettle' plan | tr -d ' \\n' | grep -q cfs_quota_us"
	inner="$outer/inner"
	mkdir "$inner" && groups="$inner $outer"
	due="$(fact pus_os within "$inner" "$fettle" plan --json) 1 instance"
	runs "one thread runs where planned" "$due" '' within "$inner"
	runs "pinned as well" "${due% *} threads" '--pin threads' within "$inner"
	is "a parent's tighter quota counts" "$(fact cpu_quota within "$inner" "$fettle" machine --json)" 1.5
	echo 50000 >"$inner/cpu.cfs_quota_us"
	is "a child's tighter one too" "$(fact cpu_quota within "$inner" "$fettle" machine --json)" 0.5
	if unshare -C true 2>/dev/null; then
		is "and inside a cgroup namespace" \
			"$(fact cpu_quota within "$inner" unshare -C "$fettle" machine --json)" 0.5
	else
		skip "and inside a cgroup namespace" "unshare -C is refused"
	fi
else
	skip "a quota of 1.5 CPUs is seen" "no writable v1 cpu controller"
fi

limited=$(group memory "fettle-test-$$")
if [ -n "$limited" ] && [ -w "$limited/memory.limit_in_bytes" ]; then
	groups="$limited $groups"
	echo 268435456 >"$limited/memory.limit_in_bytes"
	is "a memory limit is seen" \
		"$(fact memory_limit_bytes within "$limited" "$fettle" machine --json)" 268435456
	tunables=$(within "$limited" "$fettle" run -q -- sh -c 'echo "${GLIBC_TUNABLES:-none}"')
	ok "256 MiB leave no room to keep 4 GiB of freed memory" \
		sh -c "! echo '$tunables' | grep -q trim_threshold=4294967296"
else
	skip "a memory limit is seen" "no writable v1 memory controller"
fi

set_group=$(group cpuset "fettle-test-$$")
if [ -n "$set_group" ] && [ -w "$set_group/cpuset.cpus" ] && [ "$cpus" -ge 2 ]; then
	groups="$set_group $groups"
	echo 0 >"$set_group/cpuset.mems"
	echo 1 >"$set_group/cpuset.cpus"
	is "a cpuset is the plan's world" "$(fact pus_os within "$set_group" "$fettle" plan --json)" 1
	runs "and the threads'" "1 1 instance" '' within "$set_group"
	echo 0-1 >"$set_group/cpuset.cpus"
	mkdir "$set_group/inner" && groups="$set_group/inner $groups"
	echo 0 >"$set_group/inner/cpuset.mems"
	echo 1 >"$set_group/inner/cpuset.cpus"
	runs "a nested one too" "1 1 instance" '' within "$set_group/inner"
	echo 1 >"$set_group/cpuset.cpus"
	is "and a CPU outside it is refused" \
		"$(within "$set_group" "$fettle" plan --cpus 0 >/dev/null 2>&1; echo $?)" 2
else
	skip "a cpuset is the plan's world" "no writable v1 cpuset controller, or one CPU"
fi

if unshare -m true 2>/dev/null; then
	hidden='mount -t tmpfs none /sys && exec "$@"'
	ok "no /sys at all still plans" unshare -m sh -c "$hidden" sh "$fettle" plan --output "$work/plan.txt"
	masked='mount --bind /dev/null /proc/self/mountinfo 2>/dev/null; umount -l /sys/fs/cgroup 2>/dev/null; exec "$@"'
	is "no cgroup mount: the quota is null" \
		"$(fact cpu_quota unshare -m sh -c "$masked" sh "$fettle" machine --json)" null
else
	skip "no /sys at all still plans" "unshare -m is refused"
fi

tap_done
