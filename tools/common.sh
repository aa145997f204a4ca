# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What tools/quickstart and tools/test share: installing what is missing, and where builds go.
# Sourced by bash. Everything said here goes to stderr: stdout belongs to results.

repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
PATH=/usr/bin:/bin:$PATH # Debian's meson and ninja before any of the user's own
export PATH

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	say "$(basename "$0"): $*"
	exit 1
}

# The packages of these columns ("run test") that dpkg does not know as installed.
missing_packages()
{
	local name column installed
	installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p')
	while read -r name column _; do
		case $name in '' | '#'*) continue ;; esac
		case " $* " in *" $column "*) ;; *) continue ;; esac
		grep -qxF "$name" <<<"$installed" || printf '%s\n' "$name"
	done <"$repo/tools/packages"
}

# Install what is missing; nothing is asked of the network when nothing is.
install_packages()
{
	local missing as_root=()
	if ! command -v dpkg-query >/dev/null; then
		say "this is not Debian: see tools/packages for what must be there"
		return
	fi
	mapfile -t missing < <(missing_packages "$@")
	((${#missing[@]})) || return 0
	say "installing ${missing[*]}"
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || die "missing packages, and no sudo; as root: apt-get install ${missing[*]}"
		as_root=(sudo)
	fi
	quietly "${as_root[@]}" apt-get -q update || say "apt-get update failed; trying with the lists that are there"
	quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
		"${missing[@]}" || die "cannot install ${missing[*]}"
}

# Run a command; show its output only when it fails. sudo asks on the terminal, not on stdin.
quietly()
{
	local log code=0
	log=$(mktemp) || return
	"$@" </dev/null >"$log" 2>&1 || code=$?
	((code == 0)) || sed 's/^/    /' "$log" >&2
	rm -f "$log"
	return $code
}

# Where the build NAME goes: in the repository, or in the user's cache when that is not theirs to write.
build_folder()
{
	local folder=$repo/$1
	if [ -d "$folder" ] && [ ! -O "$folder" ] || [ ! -w "$repo" ]; then
		folder=${XDG_CACHE_HOME:-${HOME:?is not set}/.cache}/fettle$repo/$1
		mkdir -p "$folder" || return
	fi
	printf '%s\n' "$folder"
}

# configure FOLDER OPTION...: once; ninja looks after changed build files by itself.
configure()
{
	local folder=$1
	shift
	[ -f "$folder/build.ninja" ] && return
	quietly meson setup "$folder" "$repo" "$@"
}
