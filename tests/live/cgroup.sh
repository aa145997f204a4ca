# SPDX-License-Identifier: Apache-2.0
# Control groups made for a test, version 1, as root, and a folder for its files: source it. At the end the folder $work is
# removed, and the groups a test has named in $groups.

work=$(mktemp -d)
groups=
cleanup() {
	for group in $groups; do
		rmdir "$group" 2>/dev/null
	done
	rm -rf "$work"
}
trap cleanup EXIT

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
