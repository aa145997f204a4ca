#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside a guest: where pages really go. What page-probe touches under 'fettle run --memory WORD --nodes LIST' lies where it
# lies under numactl with the same words, and where that word says it should; with huge pages and without.
# Usage: memory.sh VARIANT
set -u
variant=$1
. ./tap.sh
. ./facts.sh

thp=/sys/kernel/mm/transparent_hugepage
# Nothing may move pages while they are counted: khugepaged collapses and balancing migrates. It sleeps between two scans
# only: whoever first has memory for huge pages wakes it for one, which is to end at the first huge page.
echo 3600000 >$thp/khugepaged/scan_sleep_millisecs
echo 1 >$thp/khugepaged/pages_to_scan
echo 0 >/proc/sys/kernel/numa_balancing
# And no node may lack a huge page while it has memory: booting leaves free pages in pieces.
echo 3 >/proc/sys/vm/drop_caches
echo 1 >/proc/sys/vm/compact_memory

# The probe moves itself to these CPUs, wherever it was bound: only so does a policy differ from none.
probe() {
	"$@" page-probe --cpu "$cpu" --thread-cpu "$thread_cpu"
}

# same SLACK: both outputs have the same lines, and the pages of each node differ by no more than SLACK.
same() {
	awk -v slack="$1" '
		{ key = $1 " " $2 }
		FNR == 1 { file++ }
		$1 == "huge" { next }
		{ lines[file, key] = 1; for (i = 3; i <= NF; i++) { split($i, part, ":"); pages[file, key, part[1]] = part[2]; nodes[part[1]] = 1 } keys[key] = 1 }
		END {
			for (key in keys) {
				if (!((1, key) in lines) || !((2, key) in lines)) { print "# only once: " key; bad = 1 }
				for (node in nodes) {
					difference = pages[1, key, node] - pages[2, key, node]
					if (difference > slack || difference < -slack) {
						print "# " key ": node " node ": fettle " pages[1, key, node] + 0 ", numactl " pages[2, key, node] + 0
						bad = 1
					}
				}
			}
			exit bad || length(keys) != 8
		}' fettle.out numactl.out
}

# as_due MAIN THREAD: the nodes with pages are exactly these, "0" or, for both by halves, "0+1"; THREAD for the second thread.
as_due() {
	awk -v main="$1" -v thread="$2" '
		$1 == "huge" { next }
		{
			due = $1 == "thread" ? thread : main
			got = ""
			least = -1
			for (i = 3; i <= NF; i++) {
				split($i, part, ":")
				got = got (got == "" ? "" : "+") part[1]
				total += part[2]
				if (least < 0 || part[2] < least)
					least = part[2]
			}
			if (got != due || (NF > 3 && $2 == "large" && least < 1024)) { print "# due on " due ": " $0; bad = 1 }
			n++
		}
		END { exit bad || n != 8 }' fettle.out
}

# row MEMORY NODES CPU THREAD_CPU MAIN THREAD PEER...: one line of the table below, for one mode of huge pages.
row() {
	memory=$1 nodes=$2 cpu=$3 thread_cpu=$4 main=$5 thread=$6
	shift 6
	name="$mode: --memory $memory --nodes $nodes, touched from CPU $cpu, thread from $thread_cpu"
	slack=16
	case $main in *+*) [ "$mode" = never ] || slack=1100 ;; esac # one huge page at each end of a mapping, and its edges
	probe fettle run -q --no allocator --memory "$memory" --nodes "$nodes" --cross-node -- >fettle.out
	ok "$name: on nodes $main and $thread" as_due "$main" "$thread"
	probe "$@" >numactl.out
	ok "$name: as $*" same $slack
	huge=$(sed -n 's/^huge //p' fettle.out)
	case $mode in
	always)
		# First touch on a node without memory gets none (but khugepaged's one, 2048 KiB): the kernel takes huge pages
		# of the own node only.
		if [ "$variant-$nodes" = no-memory-1 ] && { [ "$memory" = none ] || [ "$memory" = local ]; }; then
			ok "$name: not in huge pages" test "$huge" -le 2048
		else
			ok "$name: in huge pages" test "$huge" -gt 8000
		fi
		;;
	never) is "$name: in small pages" "$huge" 0 ;;
	esac
}

rows_2n() {
	#   word       nodes main thread due
	row none       1     0 5 0 1 numactl -N 1
	row local      1     0 5 0 1 numactl -N 1 --localalloc
	row bind       0     5 1 0 0 numactl -N 0 -m 0
	row bind       1     0 5 1 1 numactl -N 1 -m 1
	row bind       0,1   0 5 0 1 numactl -N 0,1 -m 0,1
	row preferred  0     5 1 0 0 numactl -N 0 -p 0
	row preferred  1     0 5 1 1 numactl -N 1 -p 1
	row preferred  0,1   5 1 1 0 numactl -N 0,1 --preferred-many 0,1
	row interleave 1     0 5 1 1 numactl -N 1 -i 1
	row interleave 0,1   0 5 0+1 0+1 numactl -N 0,1 -i 0,1
}

rows_4n() {
	row bind       2,3   0 6 2 3 numactl -N 2,3 -m 2,3
	row preferred  2,3   0 6 2 3 numactl -N 2,3 --preferred-many 2,3
	row interleave 0,3   2 6 0+3 0+3 numactl -N 0,3 -i 0,3
}

# Node 1 has none: 2 is the nearest. numactl refuses to name node 1, so its CPUs are.
rows_no_memory() {
	row none       1     2 3 2 2 taskset -c 2,3
	row local      1     2 3 2 2 numactl --localalloc
	row bind       1     2 0 2 2 taskset -c 2,3 numactl -m 2
	row preferred  1     2 0 2 2 taskset -c 2,3 numactl -p 2
	row interleave 0,1   2 0 0+2 0+2 taskset -c 0-3 numactl -i 0,2
}

# Node 2 has no CPU: CPUs 0-1 of node 0 are nearest to it.
rows_memory_only() {
	row bind       0,2   0 3 0 0 numactl -N 0 -m 0,2
	row bind       2     0 3 2 2 numactl -m 2
	row preferred  2     0 3 2 2 numactl -p 2
	row local      0,2   0 3 0 1 numactl -N 0 -l
	row interleave 0,2   0 3 0+2 0+2 numactl -N 0 -i 0,2
}

for mode in always never; do
	echo $mode >$thp/enabled
	rows_"$(echo "$variant" | tr - _)"
done

# planned NODES: nodes and policies of 'fettle plan --nodes NODES', as "NODES POLICY ...".
planned() {
	fettle plan --nodes "$1" --json | sed -n 's/.*"nodes_os": "\(.*\)",/\1/p; s/.*"memory_policy": "\(.*\)",/\1/p' | tr '\n' ' '
}

# A node has less than the probe holds: 512 MiB of 1 GiB.
full_node() {
	exec 3>&2 2>/dev/null # the shell's "Killed"
	is "bind: a full node kills the program" "$(fettle run -q --memory bind --nodes 1 -- page-probe --hold 600 >/dev/null 2>&1; echo $?)" 137
	is "as numactl -m" "$(numactl -m 1 page-probe --hold 600 >/dev/null 2>&1; echo $?)" 137
	for word in auto preferred; do
		held=$(fettle run -q --memory $word --nodes 1 -- page-probe --hold 600)
		ok "$word: it goes on with the other node's memory" sh -c "echo '$held' | grep -q '^held 0:[0-9]* 1:[0-9]*$'"
		echo "# $held"
	done
	exec 2>&3 3>&-
}

page_cache() {
	taskset -c 0 cp /bin/busybox /tmp/file
	cached=$(taskset -c 0 page-probe --file /tmp/file)
	ok "the page cache lies where it was read" sh -c "echo '$cached' | grep -q '^file 0:[0-9]*$'"
	is "and bind to another node leaves it there" \
		"$(fettle run -q --memory bind --nodes 1 -- page-probe --file /tmp/file)" "$cached"
}

# 300 MiB are more than node 0 has; node 1 is nearer to it than node 2, which is named.
full_node_of_several() {
	for word in bind preferred; do
		held=$(fettle run -q --memory $word --nodes 0,2 --cross-node -- page-probe --cpu 0 --hold 300)
		ok "$word 0,2: the other named node comes next" sh -c "echo '$held' | grep -q '^held 0:[0-9]* 2:[0-9]*$'"
		echo "# $held"
	done
	held=$(fettle run -q --memory preferred --nodes 0 -- page-probe --cpu 0 --hold 300)
	ok "preferred 0: the nearest node comes next" sh -c "echo '$held' | grep -q '^held 0:[0-9]* 1:[0-9]*$'"
}

case $variant in
4n)
	full_node_of_several
	;;
2n)
	for index in 0 1; do
		is "instance $index of two has its pages on its own node" \
			"$(fettle run -q --instances 2 --instance $index -- page-probe | sed -n 's/^main large \([0-9]*\):.*/\1/p')" $index
	done
	full_node
	page_cache
	;;
no-memory)
	ok "the nearest memory is said" sh -c 'fettle plan --nodes 1 | grep -q "node 2 is the"'
	is "and planned" "$(planned 1)" "2 preferred "
	;;
memory-only)
	ok "the node without CPU is told as such" sh -c \
		"fettle machine --json | tr -d ' \n' | grep -q '\"node_os\":2,\"memory_bytes\":[0-9]*,\"pus_os\":\"\"'"
	is "one instance a node leaves it out" "$(fettle plan --throughput --json | grep -c '"mask_os"')" 2
	is "named alone for a policy it has the nearest CPUs" \
		"$(fact mask_os fettle plan --memory bind --nodes 2 --json) $(fact nodes_os fettle plan --memory bind --nodes 2 --json)" "0-1 2"
	is "and for none it is refused" "$(fettle plan --nodes 2 >/dev/null 2>&1; echo $?)" 2
	is "auto keeps to the CPUs' own node" "$(planned 0,2)" "0 preferred "
	ok "and says what it leaves" sh -c 'fettle plan --nodes 0,2 | grep -q "memory-named"'
	;;
esac

tap_done
