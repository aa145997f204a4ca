# SPDX-License-Identifier: Apache-2.0
# What costs speed decides the exit code, and only when asked.
try() {
	fettle doctor -q --machine 'synthetic:pack:2 core:4 pu:2' "$@" && echo 0 || echo $?
}
try
try --require
try --cpu-quota 2.5
try --cpu-quota 2.5 --require
try --cpu-quota 2.5 --require --json --output result.json
