# SPDX-License-Identifier: Apache-2.0
# --require takes ids behind an equals sign, and only those there are; its words and exit codes.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
wrong() {
	fettle run -q "$@" -- echo started || echo $?
}
wrong --require=cpu-escapd
wrong --require=strat
wrong --require=threads,,memory
wrong --require=
# What is there and nobody who looks at a run can tell is said, and fails nothing.
fettle run --require=layout-slow,primitive-cache-thrash,isa-limited -- true 2>&1 >/dev/null | grep required
# A profile plans; what is done with the plan is said at the start.
echo '{"require": "start"}' >p.json
wrong --profile p.json
echo the program comes first
wrong --require=cpu-binding
fettle run -q --require -- sh -c 'exit 9' || echo $?
fettle run -q --require -- sh -c 'kill -TERM $$' || echo $?
fettle run -q --require -- ./none || echo $?
echo differs
code=$(fettle run -q --cpus 0 --require=start -- sh -c 'taskset -cp 0-1 $$ >taskset; sleep 9; touch late' 2>said || echo $?)
echo $code
sed 's/[0-9] of [0-9] threads/N threads/' said
test ! -e late
fettle run -q --cpus 0 --require=memory -- sh -c 'taskset -cp 0-1 $$ >taskset; sleep 0.3' || echo $?
