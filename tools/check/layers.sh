#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A room includes only itself and rooms above it in this list; src/api.c all but cli; the agent
# record.h and agent_record.h of base beside its own, archive base, probe and workload nothing; include/fettle.h none.
# Usage: layers.sh [root]
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1

folders=
for folder in src agent archive probe workload include; do
	[ ! -d "$folder" ] || folders="$folders $folder"
done
# shellcheck disable=SC2086
wrong=$(find $folders -name '*.[ch]' -exec awk '
	BEGIN {
		count = split("base machine target plan settings emit svg launch observe report onednn prove joint tune store cli", rooms, " ")
		for (i = 1; i <= count; i++)
			order[rooms[i]] = i
	}
	FNR == 1 {
		split(FILENAME, part, "/")
		own = part[1] == "src" && part[3] ? part[2] : part[1]
		limit = part[1] == "agent" ? 0 : part[1] == "archive" ? order["base"] : part[1] == "probe" || part[1] == "workload" ? 0 : FILENAME == "src/api.c" ? order["cli"] - 1 : order[own]
		if (own != "agent" && own != "archive" && own != "probe" && own != "workload" && own != "include" && FILENAME != "src/api.c" && !order[own])
			print FILENAME ": no room of this name in tools/check/layers.sh"
	}
	/^[ \t]*#[ \t]*include(_next)?[ \t]*["<]/ {
		quoted = $0 ~ /include(_next)?[ \t]*"/
		name = $0
		sub(/^[^"<]*["<]/, "", name)
		sub(/[">].*/, "", name)
		room = name
		sub(/\/.*/, "", room)
		if (own == "agent" && quoted && name ~ /^(base\/(agent_)?record|[a-z0-9_]+)\.h$/)
			next # its own headers stand without a room
		if ((own == "archive" || own == "workload") && quoted && name ~ /^[a-z0-9_]+\.h$/)
			next
		if (FILENAME == "src/api.c" && name == "fettle.h")
			next
		if (!quoted && !(name ~ /\// && order[room]))
			next # a system header
		if (name !~ /^[a-z0-9_]+\/[a-z0-9_]+\.h$/ || !order[room] || order[room] > limit)
			print FILENAME ":" FNR ": may not include \"" name "\""
	}
' {} +) || exit 1

[ -z "$wrong" ] || { printf '%s\n' "$wrong"; exit 1; }
echo "layers: ok"
