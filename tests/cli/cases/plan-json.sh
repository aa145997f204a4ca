# SPDX-License-Identifier: Apache-2.0
fettle plan --json --machine 'synthetic:pack:2 numa:1 core:4 pu:2' --instances 2 --pin instance >plan.json
python3 - <<'END'
import json
plan = json.load(open("plan.json"))
print(list(plan))
print(plan["schema"], plan["machine"]["source"], plan["request"]["instances"])
for instance in plan["instances"]:
    print(list(instance))
    print(instance["pus_os"], instance["threads"], instance["pin"], instance["nodes_os"], instance["memory_policy"],
          instance["environment"]["OMP_NUM_THREADS"])
for row in plan["settings"]:
    if row["name"] == "OMP_NUM_THREADS":
        print(row["family"], row["value"], row["instance"], row["origin"], row["changes_numbers"])
print(plan["unused_pus_os"])
END
