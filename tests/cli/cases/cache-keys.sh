# SPDX-License-Identifier: Apache-2.0
# What was remembered by another program or under another kernel is not used, but found out and stored anew.
# (The other keys: tests/unit/test_topology_cache.c; hotplug for real: tests/guest.)
folder=.cache/fettle
fettle plan >/dev/null
[ -e $folder ] || { echo "skip: the topology of this machine is none to remember"; exit 77; }
mkdir saved
mv $folder/topology-* saved/ours
cp "$FETTLE" other

# differs NAME COMMAND...: give the command our file in the place of its own; it must not stay.
differs() {
	name=$1
	shift
	rm -f $folder/*
	"$@" plan >/dev/null
	theirs=$(echo $folder/topology-*)
	cp saved/ours "$theirs"
	"$@" plan >/dev/null
	if cmp -s saved/ours "$theirs"; then echo "$name: not a key"; else echo "$name: a key"; fi
}

differs "the program" ./other
differs "the kernel" setarch "$(uname -m)" --uname-2.6 fettle
differs "nothing" fettle
