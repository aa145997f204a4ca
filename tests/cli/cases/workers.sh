# SPDX-License-Identifier: Apache-2.0
# Processes that torchrun starts share what the instance has.
machine="synthetic:numa:2(memory=64GB) core:8 pu:1"
printf '#!/bin/sh\n' >torchrun
chmod +x torchrun
for words in "x.py" "--nproc-per-node 2 x.py" "--nproc_per_node=auto x.py"; do
	for options in "--instances 1" "--instances 2" "--instances 1 --threads 6"; do
		fettle plan --machine "$machine" $options --json -- ./torchrun $words >plan
		python3 - "$options ./torchrun $words" <<'EOF'
import json, sys
plan = json.load(open("plan"))
print(sys.argv[1], [(one["threads"], one["environment"]["OMP_NUM_THREADS"], one["environment"]["GOMAXPROCS"], one["pin"],
                     one["environment"].get("OMP_PLACES"))
                    for one in plan["instances"]])
EOF
	done
done
# So do those for which the user says how many threads each has: it is not the instance's number.
for words in "x.py" "--nproc-per-node 4 x.py" "--nproc-per-node 32 x.py" "--nproc-per-node cpu x.py"; do
	OMP_NUM_THREADS=2 fettle plan --machine "$machine" --json -- ./torchrun $words >plan
	python3 - "OMP_NUM_THREADS=2 ./torchrun $words" <<'EOF'
import json, sys
plan = json.load(open("plan"))
one = plan["instances"][0]
print(sys.argv[1], one["threads"], one["environment"]["GOMAXPROCS"],
      [note["text"] for note in plan["warnings"] + plan["reasons"] if "OMP_NUM_THREADS" in note["text"]])
EOF
done
# Pinned, each of them would have its threads on the same CPUs: asked for, that is warned of.
for options in "" "--pin threads"; do
	fettle plan --machine "$machine" $options --json -- ./torchrun --nproc-per-node 2 x.py >plan
	python3 - "$options" <<'EOF'
import json, sys
plan = json.load(open("plan"))
print(sys.argv[1], plan["instances"][0]["pin"], [note["text"] for note in plan["warnings"]],
      [note["text"] for note in plan["reasons"] if note["rule"] == "workers"])
EOF
done
# A web server's.
cp torchrun gunicorn
WEB_CONCURRENCY=4 fettle plan --machine "$machine" --json -- ./gunicorn app:app >plan
python3 -c 'import json; print(json.load(open("plan"))["instances"][0]["environment"]["OMP_NUM_THREADS"])'
# Of any other program the user says it, and has the last word of these.
for words in "--workers 4 -- ./torchrun x.py" "--workers 8 --instances 2 -- ./torchrun x.py" "--workers 1 -- ./torchrun --nproc-per-node 2 x.py" \
	"--workers 3 --threads 12 -- ./torchrun x.py"; do
	fettle plan --machine "$machine" --json $words >plan
	python3 - "$words" <<'EOF'
import json, sys
plan = json.load(open("plan"))
print(sys.argv[1], plan["request"].get("workers"), [(one["threads"], one["pin"], one["environment"]["OMP_NUM_THREADS"])
                                                    for one in plan["instances"]])
EOF
done
# Who starts ranks places them, unless somebody says how many threads they have.
cp torchrun mpirun
for options in "" "--threads 4" "--workers 2"; do
	fettle plan --machine "$machine" $options --json -- ./mpirun -n 2 x >plan
	python3 - "$options" <<'EOF'
import json, sys
plan = json.load(open("plan"))
one = plan["instances"][0]
print(sys.argv[1], one["pin"], one["environment"].get("OMP_NUM_THREADS"), one["environment"].get("GOMAXPROCS"),
      [note["id"] for note in plan["warnings"]])
EOF
done
OMP_NUM_THREADS=3 fettle plan --machine "$machine" --json -- ./mpirun -n 2 x >plan
python3 -c 'import json; print([note["id"] for note in json.load(open("plan"))["warnings"]])'
