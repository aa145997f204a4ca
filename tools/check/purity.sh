#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# plan, settings, emit, svg, report, onednn and prove touch no file, clock, environment or process; no room but cli prints or
# exits. Told by the undefined symbols of their objects. Usage: purity.sh <build folder>
set -u
build=${1:?"usage: purity.sh <build folder>"}
objects=$build/src/libfettle-core.a.p
joint=$build/src/joint/libfettle-joint.a.p

# Each name also counts with the C library's other spellings: __open_2, fopen64, __printf_chk, __isoc99_sscanf.
prints='v?printf|puts|putchar|putc|perror|stdout|stderr|exit|quick_exit|abort|v?errx?|v?warnx?|error'
files='open|openat|creat|fopen|fdopen|freopen|read|pread|write|pwrite|dprintf|fprintf|fputs|fwrite|fread|fgets|getline|
	stat|fstat|lstat|fstatat|statx|access|faccessat|readlink|readlinkat|realpath|opendir|fdopendir|readdir|getcwd|
	mmap|pipe2?|socket|ioctl|json_(load|dump)_?(file|f|fd)|sysroot_.*|host_read|machine_read.*|machine_narrow|target_read|launch_.*'
clock='time|clock|clock_gettime|gettimeofday|localtime(_r)?|gmtime(_r)?|nanosleep|clock_nanosleep|usleep|sleep|
	rand|random|srand|getrandom|arc4random'
state='getenv|secure_getenv|setenv|putenv|unsetenv|clearenv|environ|setlocale|getpid|getuid|sysconf|get_nprocs|
	sched_.*|fork|vfork|exec.*|posix_spawnp?|system|popen|syscall|signal|sigaction|isatty|getopt.*|hwloc_topology_.*'

# What __builtin_cpu_supports() and its like need: a constructor that asks the processor at every start, each time a trap.
traps='cpu_model|cpu_indicator_init'

# undefined PATTERN OBJECT...
undefined()
{
	pattern=$(printf '%s' "$1" | tr -d ' \t\n')
	shift
	nm -A -u -- "$@" | sed -n 's/^\(.*\):  *U \([^@]*\).*/\2 \1/p' |
		grep -E "^(__)?(isoc[0-9]+_)?($pattern)(64)?(_2|_chk)? "
}

none=1
wrong=
for object in "$objects"/*.c.o "$joint"/*.c.o; do
	[ -e "$object" ] || continue
	none=0
	case ${object#"$objects/"} in
	plan_* | settings_* | emit_* | svg_* | report_* | onednn_* | prove_*) found=$(undefined "$prints|$traps|$files|$clock|$state" "$object") ;;
	*) found=$(undefined "$prints|$traps" "$object") ;;
	esac
	[ -z "$found" ] || wrong="$wrong$found
"
done
[ $none = 0 ] || { echo "purity: no objects in $objects"; exit 1; }
[ -z "$wrong" ] || { printf 'a pure room needs, a room prints, or every start waits for:\n%s' "$wrong"; exit 1; }
echo "purity: ok"
