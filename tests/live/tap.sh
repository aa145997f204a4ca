# SPDX-License-Identifier: Apache-2.0
# Test Anything Protocol for shell tests: source it, call ok/skip for each case, end with tap_done.
tap_count=0
tap_failed=0

# ok NAME COMMAND...: the command succeeds.
ok() {
	tap_name=$1
	shift
	tap_count=$((tap_count + 1))
	if "$@"; then
		echo "ok $tap_count - $tap_name"
	else
		echo "not ok $tap_count - $tap_name"
		tap_failed=$((tap_failed + 1))
	fi
}

# is NAME GOT DUE: two texts are the same.
is() {
	tap_count=$((tap_count + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tap_count - $1"
	else
		echo "not ok $tap_count - $1"
		echo "# got '$2'"
		echo "# due '$3'"
		tap_failed=$((tap_failed + 1))
	fi
}

# skip NAME REASON: this one cannot be had here.
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# skip_all REASON: none of it can be had here.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

tap_done() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
}
