# SPDX-License-Identifier: Apache-2.0
# --timeout: SIGTERM, SIGKILL later; the exit code is the program's or 128 + signal. What it left behind is stopped too.
run() {
	code=0
	fettle run -q --timeout 0.3 "$@" || code=$?
	echo "exit $code"
}
run -- sleep 50
run -- sh -c 'trap "exit 33" TERM; while :; do sleep 0.02; done'
run -- sh -c 'trap "exit 0" TERM; while :; do sleep 0.02; done'
run -- sh -c 'exit 4'
run -- sh -c 'setsid sleep 4711 & exec sleep 4711'
pgrep -f 'sleep 4711' || echo nothing left
run --fail restart -- sh -c 'exit 4'
