# SPDX-License-Identifier: Apache-2.0
fettle machine --json --machine 'synthetic:pack:2 numa:1 core:4 pu:2' --allowed-cpus 0-3 >machine.json
python3 - <<'END'
import json
machine = json.load(open("machine.json"))
print(machine["schema"], machine["source"], machine["packages"], machine["cores"], machine["pus"])
print(machine["allowed"]["pus_os"], machine["allowed"]["usable_threads"], [n["pus_os"] for n in machine["nodes"]])
END
