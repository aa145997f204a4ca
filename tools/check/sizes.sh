#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Files that can be read in one go: .c at most 600 lines, .h 150, and the licence named on top.
# Functions over 60 lines are named and not refused. Usage: sizes.sh [root]
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1

folders=
for folder in src agent archive probe workload include tests examples bench tools; do
	[ ! -d "$folder" ] || folders="$folders $folder"
done
# shellcheck disable=SC2086
find $folders -type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name meson.build \) -exec awk '
	function finish() {
		if (!file)
			return
		limit = file ~ /\.c$/ ? 600 : file ~ /\.h$/ ? 150 : 0
		if (limit && lines > limit)
			wrong = wrong file ": " lines " lines, at most " limit "\n"
		if (!licence && lines > 3)
			wrong = wrong file ": no SPDX-License-Identifier in its first two lines\n"
	}
	FNR == 1 { finish(); file = FILENAME; licence = 0; start = 0 }
	{ lines = FNR }
	FNR <= 2 && /SPDX-License-Identifier: Apache-2\.0/ { licence = 1 }
	file ~ /\.c$/ && /^{/ { start = FNR }
	file ~ /\.c$/ && /^}/ {
		if (start && FNR - start - 1 > 60)
			print "note: " file ":" start ": a function of " FNR - start - 1 " lines"
		start = 0
	}
	END { finish(); printf "%s", wrong; exit wrong != "" }
' {} + || exit 1
echo "sizes: ok"
