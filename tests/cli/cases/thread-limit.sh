# SPDX-License-Identifier: Apache-2.0
# A limit that would hang backward propagation is refused, or raised where that is asked.
export OMP_THREAD_LIMIT=1
plan() { fettle --machine synthetic:4 plan "$@"; }
code=0
plan || code=$?
test $code = 2
plan --repair --set OMP_THREAD_LIMIT=2 || test $? = 2
plan --repair --json | python3 -c '
import json, sys
plan = json.load(sys.stdin)
print(plan["request"]["repair"], plan["instances"][0]["environment"]["OMP_THREAD_LIMIT"])
print(*[row["origin"] for row in plan["settings"] if row["name"] == "OMP_THREAD_LIMIT"])'
plan --no openmp --json | grep -c OMP_THREAD_LIMIT || true
plan --threads 1 --json | grep -c OMP_THREAD_LIMIT || true
