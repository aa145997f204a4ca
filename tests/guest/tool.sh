#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/numa-guest itself: what goes in and what comes out, byte for byte, and each way a guest can end.
# Usage: tool.sh BUILD
set -u
here=$(dirname "$(readlink -f "$0")")
guest="$here/../../tools/numa-guest"
build=$1
. "$here/../live/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# boot OPTION...: output, messages and exit code into files.
boot() {
	"$guest" --build "$build" "$@" >"$work/stdout" 2>"$work/stderr"
	code=$?
	if [ $code -eq 77 ]; then
		skip_all "$(cat "$work/stderr")"
	fi
}

refused() {
	boot "$@"
	[ $code -eq 125 ] && [ "$(wc -l <"$work/stderr")" -eq 1 ]
}

# Every byte an argument can have, and what a shell would do something to.
bytes=$(printf '%b' "$(printf '\\x%02x' $(seq 1 255))x")
arguments=("$bytes" "" "a  b" '$HOME' '*' "it's" '"' -n $'two\nlines' 'ends in \')
head -c 300000 /dev/urandom >"$work/random bytes"
printf '%s\0' "${arguments[@]}" >"$work/due"

cat >"$work/script" <<'END'
cat '/root/random bytes' /data/renamed
printf '%s\0' "$@" >&2
cat /sys/kernel/mm/transparent_hugepage/enabled /proc/cmdline >&2
exit 42
END
boot --thp never --append 'fettle.test=7 quiet' --add "$work/random bytes" --add "$work/due:/data/renamed" --add "$work/script" \
	-- sh script "${arguments[@]}"
is "the exit code comes back" "$code" 42
ok "files go in and binary output comes out, byte for byte" \
	cmp "$work/stdout" <(cat "$work/random bytes" "$work/due")
ok "arguments arrive byte for byte, on stderr alone" cmp <(head -c "$(stat -c %s "$work/due")" "$work/stderr") "$work/due"
is "huge pages are as asked" "$(grep -a -o '\[never\]' "$work/stderr")" '[never]'
is "words reach the kernel" "$(grep -a -o 'fettle.test=[0-9]*' "$work/stderr")" fettle.test=7

boot -- sh -c 'echo before; kill -SEGV $$'
is "a signal is 128 and its number" "$code" 139
is "with what was written before, and nothing more" "$(cat "$work/stdout" "$work/stderr")" before
boot -- /no/such/program
is "a program that is not there is 127" "$code" 127

boot --console "$work/console" -- sh -c 'echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 100'
is "a panic has a code of its own" "$code" 121
is "and one line" "$(cat "$work/stderr")" "numa-guest: the guest died: Kernel panic - not syncing: sysrq triggered crash"
ok "the console can be kept" grep -q sysrq "$work/console"

# Long enough for a boot here and now.
for seconds in 15 40 100; do
	boot --timeout $seconds -- sh -c 'echo before; sleep 1000'
	[ ! -s "$work/stdout" ] || break
done
is "no end in time is 124" "$code" 124
is "and one line" "$(cat "$work/stderr")" "numa-guest: no end within $seconds s: stopped"
is "with what was written before" "$(cat "$work/stdout")" before

ok "an unknown variant is refused" refused --variant 3n -- true
ok "a missing file is refused" refused --add /no/such/file -- true
ok "no command is refused" refused --
ok "an unknown option is refused" refused --fast -- true

# cannot_be_had REASON VARIABLE=VALUE...: with that in the environment it is skipped, and says why.
cannot_be_had() {
	reason=$1
	shift
	said=$(env "$@" "$guest" --build "$build" -- true 2>&1)
	[ $? -eq 77 ] && [ "$said" = "numa-guest: skipped: $reason" ]
}

ok "no QEMU is a skip with its reason" \
	cannot_be_had "no '/no/such/qemu': apt-get install qemu-system-x86" QEMU=/no/such/qemu
echo 'Dir::State::lists "/no/such/lists"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache ""; Dir::State::status "/dev/null";' >"$work/apt.conf"
ok "no kernel too" cannot_be_had "no package linux-image-cloud-amd64 in apt's lists (apt-get update), and none in the cache" \
	APT_CONFIG="$work/apt.conf" XDG_CACHE_HOME="$work/cache"
tap_done
