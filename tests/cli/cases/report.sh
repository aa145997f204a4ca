# SPDX-License-Identifier: Apache-2.0
# --report and the table: how each instance ended, what was collected, for each and in sum.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
show() {
	python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
print(report["schema"], report["plan"]["schema"], report["exit_code"], report["timed_out"])
for i in report["instances"]:
    assert i["pid"] and i["wall_s"] > 0 and i["cpu_s"] > 0 and i["max_rss_bytes"] > 200000
    print(i["index"], i["exit_code"], i["signal"], i["stopped"], i["restarts"], i.get("collected"))
print(report["sum"].get("collected"), report["sum"]["restarts"], {c["verdict"] for c in report["checks"]} <= {"met", "unknown"})' "$1"
}
fettle run -q --instances 2 --collect 'rate ([0-9.]+)' --report report.json -- sh -c 'echo rate 1; echo rate $FETTLE_INSTANCE.5' >/dev/null
show report.json
fettle run -q --instances 2 --fail restart=1 --report report.json -- sh -c 'test $FETTLE_INSTANCE = 1 || exec sleep 50; exit 4' || echo $?
show report.json
fettle run -q --timeout 0.2 --report report.json -- sleep 50 || echo $?
show report.json
echo the table
table() {
	fettle run "$@" 2>&1 >/dev/null | sed -n '/ end /,$p' | sed 's/[0-9.]* s\>/T/g; s/[0-9.]* MiB/M/; s/[0-9]* % of [0-9]*/P/; s/  */ /g'
}
table --instances 2 --fail keep -- sh -c 'exit $FETTLE_INSTANCE'
table --instances 2 --collect '([0-9]+) images' -- sh -c 'echo $((FETTLE_INSTANCE + 5)) images'
table --instances 2 --fail keep -- sh -c 'test $FETTLE_INSTANCE = 1 || kill -9 $$; exit 3'
table --collect '([0-9]+) images' -- sh -c 'echo 7 images'
table -v --timeout 50 -- true
table -q --instances 2 -- true
echo refused
refused() {
	fettle run -q "$@" -- echo started || echo $?
}
refused --report no/such/folder
refused --report .
refused --collect 'x=[0-9]+'
refused --collect '('
fettle run -q --report /dev/stdout -- true | head -n 2
