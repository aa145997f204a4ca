#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over every C file of a build, as .clang-tidy says. Usage: tidy.sh <build folder>
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?"usage: tidy.sh <build folder>"}
command -v clang-tidy >/dev/null || { echo "tidy: clang-tidy is not installed"; exit 77; }

# tidy ARGUMENT... <list of files: one file a process, since clang-tidy 14 carries va_list state from
# file to file. gcc's warnings that clang does not know are nobody's fault. A function is followed through 75,000 states, as in
# clang's quick mode, and not through 225,000: it goes first where it has not been, and the rest took half of the time.
tidy()
{
	(cd "$build" && xargs -r -P "$(nproc)" -n 1 clang-tidy --quiet -p . --warnings-as-errors='*' \
		--extra-arg=-Wno-unknown-warning-option --extra-arg=-Xclang --extra-arg=-analyzer-config \
		--extra-arg=-Xclang --extra-arg=max-nodes=75000 "$@" 2>/dev/null)
}

files=$(sed -n 's/^ *"file": "\(.*\)",*$/\1/p' "$build/compile_commands.json" | sort -u)
[ -n "$files" ] || { echo "tidy: no files in $build/compile_commands.json"; exit 1; }
code=0
printf '%s\n' "$files" | grep '/base/err\.c$' | tidy || code=1
printf '%s\n' "$files" | grep -v '/base/err\.c$' | tidy --extra-arg=-include --extra-arg="$here/analyser.h" || code=1
[ $code = 0 ] || exit 1
echo "tidy: ok"
