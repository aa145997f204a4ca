# SPDX-License-Identifier: Apache-2.0
# Emphasis on a terminal and nowhere else: not in a pipe, with NO_COLOR, on a dumb terminal or one without a name.
machine='fettle machine --machine synthetic:2 --allowed-cpus 0'
plan='fettle plan -q --machine synthetic:2 --instances 1 --cpus 0'
terminal() {
	python3 "$SOURCE/tests/cli/terminal.py" "$@"
}
terminal TERM=xterm -- $machine
terminal TERM=xterm -- $plan
$machine >plain
$plan >>plain
for variables in 'TERM=xterm NO_COLOR=1' 'TERM=dumb' 'TERM=' ''; do
	terminal $variables -- $machine >same
	terminal $variables -- $plan >>same
	cmp same plain
done
terminal TERM=xterm NO_COLOR= -- $machine >coloured
grep -c '\\e' coloured
terminal TERM=xterm -- $machine --json | grep -c '\\e' || true
terminal TERM=xterm -- $machine --output result
if grep -q "$(printf '\033')" result; then echo escapes in a file; fi
