# SPDX-License-Identifier: Apache-2.0
# A program's libraries are judged; one that is not here, or that another machine would have, is refused.
fettle doctor --json -- sh >result.json
python3 - <<'END'
import json
rules = {rule["id"]: rule for rule in json.load(open("result.json"))["rules"]}
for rule in "openmp-library", "allocator-library", "openmp-two-runtimes":
    assert rules[rule]["verdict"] in ("good", "blocked"), rules[rule]
print(rules["openmp-two-runtimes"]["text"])
END
fettle doctor -- ./not-there || echo $?
fettle doctor --machine synthetic:2 -- sh || echo $?
