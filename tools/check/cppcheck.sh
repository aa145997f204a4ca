#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cppcheck over every C file of a build but the tests. Usage: cppcheck.sh <build folder>
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${1:?"usage: cppcheck.sh <build folder>"}
command -v cppcheck >/dev/null || { echo "cppcheck: cppcheck is not installed"; exit 77; }

# The folder to leave out is matched against names as they look from the build.
cd "$build" || exit 1
cache=cppcheck
mkdir -p "$cache" || exit 1
cppcheck --project=compile_commands.json --cppcheck-build-dir="$cache" -j "$(nproc)" --quiet \
	-i "$root/tests" --enable=warning,performance,portability,style --inline-suppr \
	--suppressions-list="$here/cppcheck.suppressions" --error-exitcode=1 || exit 1
echo "cppcheck: ok"
