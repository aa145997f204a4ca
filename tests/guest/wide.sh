#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside a guest of variant 64: eight nodes, 64 CPUs.
set -u
fettle=fettle thread_places=thread-places
. ./tap.sh
. ./facts.sh

# probed COMMAND...: the nodes that the pages of page-probe lie on, whoever touched them.
probed() {
	"$@" page-probe --cpu 0 --thread-cpu 9 | awk '
		$1 != "huge" { for (i = 3; i <= NF; i++) { sub(":.*", "", $i); seen[$i] = 1 } }
		END { for (node = 0; node < 8; node++) if (node in seen) printf "%s%d", (n++ ? "," : ""), node }'
}

echo 0 >/proc/sys/kernel/numa_balancing
is "the machine has 64 CPUs" "$(fact pus fettle machine --json)" 64
is "in eight nodes" "$(fettle machine --json | grep -c '"node_os"')" 8
is "eight instances have a node each" \
	"$(fettle plan --instances 8 --json | sed -n 's/.*"nodes_os": "\(.*\)",/\1/p' | tr '\n' ' ')" "0 1 2 3 4 5 6 7 "
is "one of them runs in its node" "$(as_planned '--nodes 5' env)" "40,42,44,46 4 instance"
is "all cores run a thread each" "$(as_planned '' env | cut -d ' ' -f 2-)" "32 threads"
for words in 'bind 6 -m' 'preferred 6 -p' 'preferred 6,7 --preferred-many' 'interleave 1,3,5 -i' 'interleave 0-7 -i'; do
	# shellcheck disable=SC2086
	set -- $words
	due=$(probed numactl "$3" "$2")
	is "--memory $1 --nodes $2 as numactl $3 $2" "$(probed fettle run -q --memory "$1" --nodes "$2" --)" "$due"
	echo "# nodes $due"
done
tap_done
