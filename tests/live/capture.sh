#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A capture of this machine tells what the machine itself did: as it is, bound, and inside nested control groups with a
# quota; and it tells nothing private. Usage: capture.sh FETTLE
set -u
fettle=$1
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/cgroup.sh"

for tool in python3 tar; do
	command -v $tool >/dev/null || { skip "a capture is replayed" "no $tool"; tap_done; exit; }
done
if "$fettle" machine --capture "$work/try.tar" 2>&1 | grep -q 'not installed'; then
	skip "a capture is replayed" "built without libarchive"
	tap_done
	exit
fi

# Where the two documents differ, without what is not of the machine, and what moves while one looks.
cat >"$work/compare.py" <<'END'
import json, re, sys

def stable(path):
    document = json.load(open(path))
    for key in ("source", "may", "libraries"):
        document.pop(key, None)
    host = document["host"]
    for key in list(host):
        if re.search("_now|pressure|steal|_used", key):
            del host[key]
    for pool in host.get("hugetlb_pools") or []:
        del pool["free"]
    assert host["kernel"], "a replay tells of its host"
    document["unknown"] = [key for key in document["unknown"] if not key.endswith("_now")]
    return document

live, replay = map(stable, sys.argv[1:])
for key in sorted(live.keys() | replay.keys()):
    if live.get(key) != replay.get(key):
        print(key, live.get(key), replay.get(key))
END

# differences NAME COMMAND...: capture and look, each with COMMAND before it; print what is not the same.
differences() {
	name=$1
	shift
	"$@" "$fettle" machine --json >"$work/$name.live" 2>&1
	"$@" "$fettle" machine -q --capture "$work/$name.tar.xz" 2>&1
	"$fettle" --machine "$work/$name.tar.xz" machine --json >"$work/$name.replay" 2>&1
	python3 "$work/compare.py" "$work/$name.live" "$work/$name.replay" 2>&1
}

is "a capture tells what the machine did" "$(differences plain env)" ""
for ending in tar tar.gz tar.bz2; do
	"$fettle" machine -q --capture "$work/other.$ending"
	"$fettle" --machine "$work/other.$ending" machine -q >"$work/other.text" 2>&1
	is "and as .$ending" "$(cat "$work/other.text")" "$("$fettle" machine -q)"
done
if [ "$(nproc)" -ge 2 ]; then
	is "bound to a CPU too" "$(differences bound taskset -c 1)" ""
else
	skip "bound to a CPU too" "one CPU"
fi

outer=$(group cpu "fettle-capture-$$")
if [ -n "$outer" ] && [ -w "$outer/cpu.cfs_quota_us" ] && mkdir "$outer/inner"; then
	groups="$outer/inner $outer"
	echo 150000 >"$outer/cpu.cfs_quota_us"
	is "inside a group whose parent has a quota" "$(differences nested within "$outer/inner")" ""
	ok "which the replay names" grep -q '"cpu_quota": 1.5' "$work/nested.replay"
	echo 50000 >"$outer/inner/cpu.cfs_quota_us"
	if unshare -C true 2>/dev/null; then
		is "and where a namespace hides the group's name" \
			"$(differences hidden within "$outer/inner" unshare -C)" ""
	else
		skip "and where a namespace hides the group's name" "unshare -C is refused"
	fi
else
	skip "inside a group whose parent has a quota" "no writable v1 cpu controller"
fi
limited=$(group memory "fettle-capture-$$")
if [ -n "$limited" ] && [ -w "$limited/memory.limit_in_bytes" ]; then
	groups="$limited $groups"
	echo 536870912 >"$limited/memory.limit_in_bytes"
	is "inside a group with a memory limit" "$(differences memory within "$limited")" ""
	ok "which the replay names too" grep -q '"memory_limit_bytes": 536870912' "$work/memory.replay"
else
	skip "inside a group with a memory limit" "no writable v1 memory controller"
fi

mkdir "$work/unpacked"
FETTLE_PRIVATE=not-to-be-found "$fettle" machine -q --capture "$work/private.tar"
tar xf "$work/private.tar" -C "$work/unpacked"
is "nothing of the environment or the command line is in it" \
	"$(grep -rlE 'not-to-be-found|private\.tar' "$work/unpacked")" ""
is "no user, no group, no name" "$(grep -rlE '^(Uid|Gid|Groups|Name|HostName):' "$work/unpacked")" ""
is "no serial number, no other process" "$(cd "$work/unpacked" && find . -name '*serial*' -o -name ppin -o -name cmdline -o -name environ)" ""
"$fettle" machine -q --with-hostname --capture "$work/named.tar"
is "the host's name only when asked" "$(tar xOf "$work/named.tar" proc/hwloc-nofile-info | grep -c "^HostName: $(uname -n)$")" 1
is "the same machine gives the same members" "$(tar tf "$work/named.tar")" "$(tar tf "$work/private.tar")"

"$fettle" machine --capture "$work/none/there.tar" 2>"$work/stderr"
is "a folder that is not there is a failure" "$?" 1
is "of which nothing is left" "$(ls "$work" | grep -c 'there')" 0
mkdir "$work/killed"
for delay in 0.005 0.01 0.02 0.04 0.08; do
	timeout -s KILL $delay "$fettle" machine -q --capture "$work/killed/cut.tar.xz"
	timeout -s INT $delay "$fettle" machine -q --capture "$work/killed/cut.tar.xz"
done >/dev/null 2>&1
is "killed while it writes, it leaves nothing half done" "$(ls -A "$work/killed" | grep -vx 'cut.tar.xz')" ""
ok "and in its place a whole archive or none" \
	sh -c 'test ! -e "$1" || tar tf "$1" >/dev/null' sh "$work/killed/cut.tar.xz"
ln -s private.tar "$work/link.tar"
"$fettle" machine -q --capture "$work/link.tar"
ok "a link stays one" test -L "$work/link.tar"

tap_done
