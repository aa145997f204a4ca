# SPDX-License-Identifier: Apache-2.0
# For tests of what fettle says about a machine and what it does there: source it after tap.sh.

# fact KEY COMMAND...: the first value of KEY in the JSON the command prints.
fact() {
	key=$1
	shift
	"$@" 2>/dev/null | grep -o "\"$key\": *\(\"[^\"]*\"\|[^,} ]*\)" | head -n 1 | sed 's/^[^:]*: *//' | tr -d '"'
}
