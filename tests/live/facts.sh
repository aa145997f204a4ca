# SPDX-License-Identifier: Apache-2.0
# For tests of what fettle says about a machine and of what then happens there: source it after tap.sh.
# $fettle and $thread_places are the programs.

# fact KEY COMMAND...: the first value of KEY in the JSON the command prints.
fact() {
	key=$1
	shift
	"$@" 2>/dev/null | grep -o "\"$key\": *\(\"[^\"]*\"\|[^,} ]*\)" | head -n 1 | sed 's/^[^:]*: *//' | tr -d '"'
}

# as_planned OPTIONS COMMAND...: plan under the command (which runs its arguments in some group, or is "env"), then run an
# OpenMP team the same way. Prints "PUS THREADS PIN" of the plan when each thread may run and does run where the plan says,
# else what is not so.
as_planned() {
	options=$1
	shift
	# shellcheck disable=SC2086
	plan=$("$@" "$fettle" plan $options --json 2>&1 | sed -n '/"instances": \[/,$p')
	pus=$(fact pus_os echo "$plan") mask=$(fact mask_os echo "$plan")
	threads=$(fact threads echo "$plan") pin=$(fact pin echo "$plan")
	# shellcheck disable=SC2086
	"$@" "$fettle" run -q $options -- "$thread_places" 2>&1 | awk -v pus="$pus" -v mask="$mask" -v threads="$threads" -v pin="$pin" '
		function expand(list, set, parts, ends, n, i, cpu) {
			n = split(list, parts, ",")
			for (i = 1; i <= n; i++) {
				if (split(parts[i], ends, "-") == 1)
					ends[2] = ends[1]
				for (cpu = ends[1] + 0; cpu <= ends[2] + 0; cpu++)
					set[cpu] = 1
			}
		}
		function within(list, outer, seen, cpu) {
			expand(list, seen)
			for (cpu in seen)
				if (!(cpu in outer))
					return 0
			return 1
		}
		BEGIN { expand(pus, planned); expand(mask, allowed) }
		$1 != "cpus" || $3 != "mask" { print "not a thread: " $0; bad = 1; next }
		pin == "threads" && ($2 != $4 || taken[$2]++ || !within($2, planned)) { print "not on a CPU of its own: " $0; bad = 1 }
		pin != "threads" && ($4 != mask || !within($2, allowed)) { print "not in " mask ": " $0; bad = 1 }
		END {
			if (NR != threads)
				print NR " threads, planned " threads
			else if (!bad)
				print pus " " threads " " pin
		}'
}
