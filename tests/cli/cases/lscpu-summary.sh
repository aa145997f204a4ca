# SPDX-License-Identifier: Apache-2.0
# A plain lscpu summary counts cores and packages without telling whose CPUs are whose: nobody pretends to know.
cat >summary <<'EOF'
Architecture:            x86_64
CPU(s):                  8
On-line CPU(s) list:     0-7
Model name:              Some Server CPU
Thread(s) per core:      2
Core(s) per socket:      2
Socket(s):               2
L3 cache:                64 MiB (2 instances)
NUMA node(s):            2
NUMA node0 CPU(s):       0,1,4,5
NUMA node1 CPU(s):       2,3,6,7
EOF
m=lscpu:summary
fettle machine --machine $m
fettle machine --machine $m --allowed-cpus 0-2 | tail -2
fettle machine --machine $m --json | python3 -c '
import json, sys
machine = json.load(sys.stdin)
for key in ("packages", "cores", "pus", "threads_per_core", "packages_os", "cores_os"):
    print(key, machine[key])
print(machine["allowed"]["usable_threads"], [u for u in machine["unknown"] if u in machine])'
fettle machine --machine $m --json --allowed-cpus 0-2 | python3 -c '
import json, sys
machine = json.load(sys.stdin)
print(machine["allowed"]["usable_threads"], "usable_threads" in machine["unknown"])'
# Whether neighbours share our cores: all CPUs have none.
for allowed in 0-2 0-7; do
	fettle doctor --machine $m --allowed-cpus $allowed --json | python3 -c '
import json, sys
print([r["verdict"] for r in json.load(sys.stdin)["rules"] if r["id"] == "smt-shared"])'
done
refused() {
	code=0
	fettle "$@" 2>&1 || code=$?
	echo "exit $code"
}
refused plan --machine $m
refused run --machine $m --dry-run -- true
refused plan --machine $m --smt --latency
refused plan --machine $m --smt --cores-per-instance 2
refused plan --machine $m --smt --reserve 1
refused plan --machine $m --smt --per core
refused plan --machine $m --smt --per package
refused plan --machine $m --smt --instances 9 --threads 1
# One CPU is on one core.
fettle plan --machine $m --allowed-cpus 3 -q
fettle plan --machine $m --smt --instances 2
fettle plan --machine $m --smt --throughput --json | python3 -c '
import json, sys
plan = json.load(sys.stdin)
for instance in plan["instances"]:
    print(instance["pus_os"], instance["cores"], instance["threads"])
print([w["id"] for w in plan["warnings"]])'
# A frame in the picture says that CPUs share a core.
fettle plan --machine $m --smt --svg picture.svg >/dev/null
grep -c 'class="f-co"' picture.svg || true
grep -c 'core: the CPUs' picture.svg || true
sed 's/per core: *2/per core: 1/; s/per socket: *2/per socket: 4/' summary >plain
fettle machine --machine lscpu:plain
