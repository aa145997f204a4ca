#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every option of the tables stands in its command's man page and in every completion, and the man pages and
# completions name none that is not there; examples and pages named by --help exist.
# options.sh FETTLE SOURCE
set -eu
fettle=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
	echo "options: $*" >&2
	failed=1
}

# The page that a command's help names.
page() {
	sed -n "s/^$1 //p" "$work/pages"
}

"$fettle" completion --list >"$work/list"
[ -s "$work/list" ] || { echo "options: 'fettle completion --list' printed nothing" >&2; exit 1; }
for shell in bash zsh fish; do
	"$fettle" completion $shell >"$work/$shell"
done

cut -d' ' -f1 "$work/list" | sort -u >"$work/commands"
while read -r command; do
	[ "$command" = fettle ] && help=$("$fettle" --help) || help=$("$fettle" help "$command")
	manual=$(printf '%s\n' "$help" | grep -o 'fettle[a-z-]*(1)' | tail -n 1)
	echo "$command $source/man/${manual%(1)}.1.scd"
done <"$work/commands" >"$work/pages"

# Tables to pages and completions. Bold in scdoc: *--name*.
while read -r command option argument; do
	grep -q -e "\*$option\*" "$(page "$command")" ||
		complain "'$option' of '$command' is not in $(page "$command")"
	grep -q -e "[ ']${option}[ '=)]" "$work/bash" || complain "'$option' is not in the bash completion"
	grep -q -e "'\**${option}[=[]" "$work/zsh" || complain "'$option' is not in the zsh completion"
	grep -q -e " -l ${option#--}\( \|\$\)" "$work/fish" || complain "'$option' is not in the fish completion"
	[ -z "$argument" ] || grep -q -e "\*$option\* [_*]" "$(page "$command")" ||
		complain "'$option' of '$command' takes $argument, its page shows no value"
done <"$work/list"

# Pages to tables.
for file in "$source"/man/*.scd; do
	name=$(basename "$file" .1.scd)
	commands=$(sed -n "s|^\([^ ]*\) $file\$|\1|p" "$work/pages" | paste -s -d '|')
	[ "$name" != fettle ] || commands=fettle
	grep -o -e '^\*--[a-z-]*\*\|[,:] \*--[a-z-]*\*' "$file" | grep -o -e '--[a-z-]*' | sort -u >"$work/named"
	while read -r option; do
		grep -q -E "^($commands) $option( |\$)" "$work/list" || complain "$name(1) has '$option', the tables do not"
	done <"$work/named"
	grep -q '^# EXAMPLES$' "$file" || complain "$name(1) has no EXAMPLES"
done

# Commands: each is in fettle(1) and in the completions, and its help names a page that exists.
while read -r command; do
	[ "$command" = fettle ] || grep -q "^\*$command\*" "$source/man/fettle.1.scd" ||
		complain "'$command' is not in fettle(1)"
	[ "$command" = fettle ] && help=$("$fettle" --help) || help=$("$fettle" help "$command")
	manual=$(printf '%s\n' "$help" | grep -o 'fettle[a-z-]*(1)' | tail -n 1)
	[ -e "$source/man/${manual%(1)}.1.scd" ] || complain "help of '$command' names no page that exists"
	printf '%s\n' "$help" | grep -q '^Example:$' || complain "help of '$command' has no example"
	if printf '%s\n' "$help" | grep -q -E '^.{81}'; then complain "help of '$command' is wider than 80 columns"; fi
done <"$work/commands"
if [ $failed = 0 ]; then
	echo "options: $(wc -l <"$work/list") in tables, pages and completions agree"
fi
exit $failed
