#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the kernel does not grant: calls refused as Docker (EPERM) and gVisor (ENOSYS) refuse them, and CPUs taken away
# between plan and bind. The program runs all the same, and what was asked and granted is said once.
# Usage: refused.sh FETTLE GATE [OMP_TEAM]
set -u
export LC_ALL=C
fettle=$1
gate=$2
team=${3:-}
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/cgroup.sh"

# With the topology remembered from here on, a second look at the machine shows that no limit was.
export XDG_CACHE_HOME="$work/cache"
mkdir "$XDG_CACHE_HOME"
"$fettle" plan >/dev/null

# launch COMMAND...: leaves its output, what fettle said before the table that ends several instances, and the exit code.
launch() {
	"$@" >"$work/out" 2>"$work/all" </dev/null
	code=$?
	sed '/^fettle: instance  end /,$d' "$work/all" >"$work/said"
}

# said TEXT: how many of the lines that were said hold it.
said() {
	grep -cF -- "$1" "$work/said"
}

# outcome TEXT: exit code, output, number of lines said, and how many hold the text.
outcome() {
	echo "exit $code: $(sort "$work/out" | tr '\n' ' ')| $(wc -l <"$work/said") lines, $(said "$1") so"
}

# The program: says its CPUs and fails with a code of its own.
show='while read -r key value; do [ "$key" != Cpus_allowed_list: ] || echo "$value"; done </proc/self/status; exit 7'

# The CPUs we may use, one a line; the first two.
cpus=$(awk '/^Cpus_allowed_list/ { n = split($2, runs, ",")
	for (i = 1; i <= n; i++) { split(runs[i], ends, "-"); last = ends[2] == "" ? ends[1] : ends[2]
		for (c = ends[1] + 0; c <= last + 0; c++) print c } }' /proc/self/status)
a=$(echo "$cpus" | sed -n 1p)
b=$(echo "$cpus" | sed -n 2p)
mine=$(awk '/^Cpus_allowed_list/ { print $2 }' /proc/self/status)
[ "$((a + 1))" = "$b" ] && both=$a-$b || both=$a,$b

"$gate" --refuse ENOSYS:mbind true 2>"$work/why"
[ $? -ne 77 ] || skip_all "$(cat "$work/why")"

# The gate itself: what it lets through would make the rest pass for nothing.
is "the gate refuses" "$("$gate" --refuse ENOSYS:sched_setaffinity taskset -c "$a" true 2>&1 | grep -c 'not implemented')" 1
is "and hands the exit code on" "$("$gate" --refuse EPERM:mbind sh -c 'exit 9'; echo $?)" 9
is "it holds a program at its call" \
	"$("$gate" --before sched_setaffinity 'taskset -p $GATE_PID | grep -c mask' taskset -c "$a" sh -c 'echo on; exit 9'
	echo $?)" "1
on
9"
is "a command that is never due is a failure" "$("$gate" --before mbind true true 2>/dev/null; echo $?)" 125

# first_policy COMMAND...: the memory policy of the first instance of the plan it prints.
first_policy() {
	"$@" | sed -n 's/.*"memory_policy": "\([a-z]*\)".*/\1/p' | head -n 1
}

numa_calls=set_mempolicy,mbind,migrate_pages,move_pages
refused_memory() { # ERRNO ITS-WORDS
	for word in auto none local bind preferred interleave; do
		policy=$word
		[ $word != auto ] || policy=$(first_policy "$fettle" plan --cpus "$a" --json)
		lines="2 lines, 1 so"
		[ "$policy" != none ] || lines="1 lines, 0 so"
		launch "$gate" --refuse "$1:$numa_calls" "$fettle" run --memory $word --cpus "$a" -- sh -c "$show"
		is "$1, --memory $word: bound, and said once" "$(outcome "memory policy $policy")" "exit 7: $a | $lines"
		is "$1, --memory $word: with the reason" "$(outcome "refused: set_mempolicy: $2")" "exit 7: $a | $lines"
		launch "$gate" --refuse "$1:$numa_calls" "$fettle" run -q --memory $word --cpus "$a" -- sh -c "$show"
		is "$1, --memory $word: -q says nothing" "$(outcome "")" "exit 7: $a | 0 lines, 0 so"
		[ -n "$b" ] || continue
		# A failing one would have the other stopped before it speaks: both succeed here.
		launch "$gate" --refuse "$1:$numa_calls" "$fettle" run --memory $word --instances 2 --cpus "$a,$b" -- \
			sh -c "${show%exit 7}"
		is "$1, --memory $word: each of two bound, and said once" "$(outcome refused)" "exit 0: $a $b | $lines"
	done
}
refused_memory EPERM "Operation not permitted"
refused_memory ENOSYS "Function not implemented"
if [ -n "$b" ]; then
	launch "$gate" --refuse "EPERM:$numa_calls" "$fettle" run --memory bind --instances 2 -- \
		sh -c 'case $FETTLE_PLAN in *i=1/*) exit 7;; esac; exec sleep 50'
	is "the code of the first of two to fail is handed on" "$code" 7
fi

# LLVM's runtime takes over from libgomp when it comes first: it has libgomp's functions too.
llvm=$(/sbin/ldconfig -p 2>/dev/null | sed -n 's/.*libomp\.so.* => //p' | head -n 1)
# What the environment says of pinning; the record must not name what is not set.
pinning='echo "${OMP_PLACES-none} ${OMP_PROC_BIND-none} $(echo "$FETTLE_PLAN" | grep -c OMP_P) $OMP_NUM_THREADS"'
refused_affinity() { # ERRNO ITS-WORDS
	refusal="sched_setaffinity: $2"
	launch "$gate" --refuse "$1:sched_setaffinity" "$fettle" run --cpus "$a" -- sh -c "$show"
	is "$1 for the CPUs: runs where it may, and said once" "$(outcome "$refusal, left on CPUs")" \
		"exit 7: $mine | 2 lines, 1 so"
	launch "$gate" --refuse "$1:sched_setaffinity" "$fettle" run -q --pin threads --cpus "$a" -- sh -c "$pinning"
	is "$1 for the CPUs: no thread is told to bind itself" "$(outcome "")" "exit 0: none none 0 1 | 0 lines, 0 so"
	launch "$gate" --refuse "$1:sched_setaffinity" "$fettle" run --cpus "$a" --pin threads -- true
	is "$1 for the CPUs: and that is said" "$(outcome ", threads not pinned")" "exit 0: | 2 lines, 1 so"
	launch "$gate" --refuse "$1:sched_setaffinity" "$fettle" run -q --pin threads --set OMP_PLACES=cores -- sh -c "$pinning"
	is "$1 for the CPUs: what the user set stays" "$(cut -d ' ' -f 1 "$work/out")" cores
	launch "$gate" --refuse "$1:sched_setaffinity,set_mempolicy" "$fettle" run --memory bind -- true
	is "$1 for CPUs and memory: one line for both" "$(outcome "$refusal, left on CPUs ")" "exit 0: | 2 lines, 1 so"
	is "$1 for CPUs and memory: with both" "$(said "refused: set_mempolicy: $2")" 1
	[ -n "$b" ] || return
	launch "$gate" --refuse "$1:sched_setaffinity" "$fettle" run --instances 2 --cpus "$a,$b" -- sh -c "$pinning"
	is "$1 for the CPUs of two: both run, and said once for both" \
		"$(outcome "cannot bind to CPUs $both: $refusal, left on CPUs")" \
		"exit 0: none none 0 1 none none 0 1 | 2 lines, 1 so"
	if [ -n "$team" ]; then
		launch "$gate" --refuse "$1:sched_setaffinity" "$fettle" run -q --pin threads --cpus "$a,$b" -- "$team"
		is "$1 for the CPUs: libgomp makes its team" "$code: $(cut -d : -f 1 "$work/out")" "0: 2"
	else
		skip "$1 for the CPUs: libgomp makes its team" "no gcc to build an OpenMP program"
	fi
	if [ -n "$team" ] && [ -n "$llvm" ]; then
		for pin in threads instance; do
			launch "$gate" --refuse "$1:sched_setaffinity" "$fettle" run -q --pin $pin --cpus "$a,$b" -- \
				env LD_PRELOAD="$llvm" "$team"
			is "$1 for the CPUs, --pin $pin: so does LLVM's runtime" "$code: $(cut -d : -f 1 "$work/out")" "0: 2"
		done
	else
		skip "$1 for the CPUs: so does LLVM's runtime" "no gcc to build an OpenMP program, or no libomp"
	fi
}
refused_affinity EPERM "Operation not permitted"
refused_affinity ENOSYS "Function not implemented"

launch "$gate" --before sched_setaffinity true "$fettle" run --cpus "$a" -- sh -c "$show"
is "where all is granted nothing is said" "$(outcome warning)" "exit 7: $a | 1 lines, 0 so"

# From here on a cpuset is narrowed between plan and bind, which is also what a CPU that goes offline looks like.
set_group=$(group cpuset "fettle-refused-$$")
if [ -z "$set_group" ] || ! echo "$(cat "${set_group%/*}/cpuset.mems")" >"$set_group/cpuset.mems" 2>/dev/null; then
	skip "CPUs that go away between plan and bind" "no writable v1 cpuset controller"
	tap_done
	exit
fi
groups=$set_group
if [ -z "$b" ] || [ -z "$team" ]; then
	skip "CPUs that go away between plan and bind" "one CPU, or no gcc to build an OpenMP program"
	tap_done
	exit
fi

# narrowed BEFORE... -- FETTLE-ARGUMENTS: run in the cpuset, which the commands of --before change.
narrowed() {
	echo "$a,$b" >"$set_group/cpuset.cpus"
	launch within "$set_group" "$gate" "$@"
}
give_b="echo $b >$set_group/cpuset.cpus"
give_a="echo $a >$set_group/cpuset.cpus"

narrowed --before sched_setaffinity "$give_b" "$fettle" run -- "$team"
is "one CPU of two gone: planned again" \
	"$(outcome "asked for CPUs $both, granted $b, planned again")" "exit 0: 1: $b | 2 lines, 1 so"
is "and the first line is the plan that holds" "$(said "fettle: 1 thread on CPUs $b,")" 1
narrowed --before sched_setaffinity "$give_b" "$fettle" run --pin threads -- "$team"
is "and places are planned again" "$(outcome "planned again")" "exit 0: 1: $b | 2 lines, 1 so"
narrowed --before sched_setaffinity "$give_b" "$fettle" run --threads 1 --instances 1 -- sh -c "$show"
is "all CPUs gone: planned again on others" \
	"$(outcome "cannot bind to CPUs $a: none of them may be used now")" "exit 7: $b | 2 lines, 1 so"
narrowed --before sched_setaffinity "$give_b" "$fettle" run -q -- "$team"
is "-q: planned again in silence" "$(outcome "")" "exit 0: 1: $b | 0 lines, 0 so"
narrowed --before sched_setaffinity "$give_b" "$fettle" run --pin threads --cpus "$a" -- "$team"
is "all CPUs that were asked for gone: runs on what is left" \
	"$(outcome ", left on CPUs $b, threads not pinned; cannot plan again: --cpus $a")" "exit 0: 1: $b | 2 lines, 1 so"
narrowed --before sched_setaffinity "$give_b" --before sched_setaffinity true --before sched_setaffinity "$give_a" \
	"$fettle" run --pin threads -- "$team"
is "gone again after that: no third plan" \
	"$(outcome "left on CPUs $a, threads not pinned")" "exit 0: 1: $a | 2 lines, 1 so"

narrowed --before sched_setaffinity "$give_b" "$fettle" run --instances 2 -- "$team"
is "one of two instances without its CPU: both run" \
	"$(outcome "instance 0: cannot bind to CPUs $a: none of them may be used now")" "exit 0: 1: $b 1: $b | 2 lines, 1 so"
narrowed --before sched_setaffinity "$give_b" "$fettle" run --instances 2 --instance 0 -- "$team"
is "one instance of a plan that is no longer possible" \
	"$(outcome "left on CPUs $b, threads not pinned; cannot plan again: 2 instances")" "exit 0: 1: $b | 2 lines, 1 so"

"$fettle" plan --pin threads --cpus "$a,$b" --json --output "$work/plan.json"
narrowed --before sched_setaffinity "$give_b" "$fettle" run --plan "$work/plan.json" -- "$team"
is "a saved plan is kept, as far as it goes" \
	"$(outcome "asked for CPUs $both, granted $b, threads not pinned")" "exit 0: 2: $b $b | 2 lines, 1 so"
launch "$gate" --refuse EPERM:sched_setaffinity "$fettle" run --plan "$work/plan.json" -- "$team"
is "a saved plan refused: libgomp makes its team" \
	"$code: $(cut -d : -f 1 "$work/out"), $(said "threads not pinned")" "0: 2, 1"

tap_done
