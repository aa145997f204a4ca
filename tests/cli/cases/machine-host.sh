# SPDX-License-Identifier: Apache-2.0
# Of a file nothing is known of its host, and each fact is named; of this machine, rights are true, false, or named.
fettle machine --json --machine 'synthetic:pack:2 core:4 pu:2' >file.json
fettle machine --json >live.json
fettle machine >live.text
test -z "$(grep -E '^.{81}' live.text)"
python3 - <<'END'
import json
file, live = json.load(open("file.json")), json.load(open("live.json"))
assert "may" not in file
facts = {key for key in file["host"] if key not in ("evidence", "hugetlb_pools")}
assert all(file["host"][key] is None for key in facts)
assert facts <= set(file["unknown"]), facts - set(file["unknown"])
print(sorted({"governor", "huge_pages", "numa_balancing", "swap", "steal"} & facts))
assert set(file["host"]) == set(live["host"])
told = {item["fact"]: item for item in live["host"]["evidence"]}
assert set(told) == facts and all(item["path"] for item in told.values())
for key in facts:
    assert (key in live["unknown"]) == ("why" in told[key]), key
may = {key: value for key, value in live["may"].items() if key not in ("why", "limits")}
for key, value in may.items():
    assert value in (True, False, None), key
    assert (value is True) == (key not in live["may"]["why"]), key
print(sorted({"bind_cpu", "bind_memory", "counters"} & set(may)))
END
