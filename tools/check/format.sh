#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every C file is as .clang-format says. Usage: format.sh [root]
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
command -v clang-format >/dev/null || { echo "format: clang-format is not installed"; exit 77; }

folders=
for folder in src agent archive probe workload include tests examples bench; do
	[ ! -d "$folder" ] || folders="$folders $folder"
done
# shellcheck disable=SC2086
find $folders -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror || exit 1
echo "format: ok"
