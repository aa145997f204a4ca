# SPDX-License-Identifier: Apache-2.0
# What is no process is refused by name; one that is gets a page and a document, whoever started it.
for words in "" "--all 1" "1 2" "1 -q 2" "1 --wach" "--watch 0 1" "1 --watch 0" "-- 1 -q" "1 -- -q" "999999999" "no-such-program-at-all -q"; do
	fettle inspect $words || echo "exit $?"
done
fettle run -q -- sleep 30 &
child=$!
sleep 30 &
other=$!
trap 'kill $child $other' EXIT
# The child becomes the program when fettle has planned; a page looks for a second.
while ! grep -q sleep /proc/$child/comm; do :; done
fettle inspect $child | sed -n -e "s/^$child */PID /p" -e 's/^ *\(planned: instance 0 of 1\).*/\1/p'
fettle inspect $other | grep -o 'not started by fettle'
fettle inspect --require -q $other
fettle inspect --output one.json $child --json
python3 - $child <<'END'
import json, sys
document = json.load(open("one.json"))
assert document["schema"] == "fettle.report/1"
assert document["plan"]["known"] and len(document["plan"]["instances"]) == 1, document["plan"]
[instance] = document["instances"]
assert instance["pid"] == int(sys.argv[1]) and instance["exit_code"] is None and instance["wall_s"] > 0, instance
assert document["findings"] == [], document["findings"]
checks = {check["check"]: check["verdict"] for check in document["checks"]}
print(checks["cpu-binding"], checks["environment"], checks["allocator"], checks["threads"])
[process] = document["processes"]
assert process["malloc"] and process["libraries"] is not None, process
END
fettle inspect --all --json --output all.json
python3 -c 'import json; print("all" if json.load(open("all.json"))["instances"] else "none")'
