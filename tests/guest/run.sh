#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A test that runs inside a guest: boots the variant, runs the script there, and hands on what it says (TAP).
# Usage: run.sh BUILD VARIANT SCRIPT
here=$(dirname "$(readlink -f "$0")")

"$here/../../tools/numa-guest" --build "$1" --variant "$2" --timeout 400 \
	--add "$here/../live/tap.sh" --add "$here/../live/facts.sh" --add "$1/tests/live/gate:/usr/bin/gate" --add "$1/tests/guest/lab-probe:/usr/bin/lab-probe" --add "$here/$3" -- sh "$3" "$2" 2>&1
code=$?
if [ $code -eq 77 ]; then
	echo "1..0 # SKIP no guest can be had"
	exit 0
fi
exit $code
