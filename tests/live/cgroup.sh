# SPDX-License-Identifier: Apache-2.0
# Control groups made for a test: source it. Version 1, as root.

# group CONTROLLER NAME: make a v1 group and print its folder; nothing where that is not possible.
group() {
	mount=$(awk -v c="$1" '$3 == "cgroup" && ("," $4 ",") ~ ("," c ",") { print $2; exit }' /proc/mounts)
	[ -n "$mount" ] && mkdir -p "$mount/$2" 2>/dev/null && echo "$mount/$2"
}

# within FOLDER COMMAND...: run it as a member of the group.
within() {
	folder=$1
	shift
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$folder" "$@"
}
