# SPDX-License-Identifier: Apache-2.0
# --each: one value an instance, shown with its origin; what cannot be carried out is refused in one line.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
fettle --machine 'synthetic:pack:2 core:2 pu:1' plan --instances 2 --each PORT=80,81 | grep PORT
fettle --machine 'synthetic:pack:2 core:2 pu:1' plan --instances 2 --each PORT=80,81 --json |
	python3 -c 'import json, sys
for row in json.load(sys.stdin)["settings"]:
    if row["name"] == "PORT": print(row["instance"], row["value"], row["origin"])'
fettle run -q --instances 2 --each PORT=80,81 --each 'TEXT=a b,' -- sh -c 'echo "$FETTLE_INSTANCE of $FETTLE_INSTANCES: $PORT [$TEXT]" >$PORT'
cat 80 81
fettle run -q --instances 2 --instance 1 --each PORT=80,81 -- sh -c 'echo "$FETTLE_INSTANCE $PORT"'
fettle plan --instances 2 --each PORT=80,81 --json --output plan.json
fettle run -q --plan plan.json -- sh -c 'echo saved $PORT >$PORT'
cat 80 81
refused() {
	code=0
	fettle plan --instances 2 "$@" || code=$?
	echo $code
}
refused --each PORT=80
refused --each PORT=80,81,82
refused --each PORT
refused --each =1,2
refused --each OMP_NUM_THREADS=1,2
refused --each FETTLE_INSTANCE=1,2
refused --each A=1,2 --set A=3
refused --each A=1,2 --each A=3,4
fettle run --plan plan.json --each A=1,2 -- true || echo $?
