# SPDX-License-Identifier: Apache-2.0
# The document: each rule once, with a verdict it can have, and a remedy where something is wrong. Of a file and of this machine.
fettle doctor --json --machine 'synthetic:pack:2 core:4 pu:2' --cpu-quota 2.5 >file.json
fettle doctor --json >live.json
python3 - <<'END'
import json
ids = []
for name in "file.json", "live.json":
    document = json.load(open(name))
    assert document["schema"] == "fettle.doctor/1"
    rules = document["rules"]
    ids.append(sorted(rule["id"] for rule in rules))
    assert len(set(ids[-1])) == len(rules)
    for rule in rules:
        assert set(rule) >= {"id", "verdict", "text", "evidence", "cost", "remedy"}, rule
        assert rule["verdict"] in ("good", "costs", "blocked", "unknown"), rule
        assert isinstance(rule["evidence"], list) and all(isinstance(line, str) for line in rule["evidence"])
        assert bool(rule["remedy"]) == (rule["verdict"] in ("costs", "blocked")), rule
        assert rule["verdict"] != "costs" or rule["cost"], rule
    order = [("costs", "blocked", "unknown", "good").index(rule["verdict"]) for rule in rules]
    assert order == sorted(order)
    if name == "file.json":
        print([rule["id"] for rule in rules if rule["verdict"] == "costs"])
assert ids[0] == ids[1]
END
