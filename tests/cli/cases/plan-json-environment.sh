# SPDX-License-Identifier: Apache-2.0
# Only what fettle sets or changes: the user's own variable stays out, one taken out is null.
A=1 OMP_NUM_THREADS=2 fettle plan --json --machine synthetic:4 --unset A --set B=2 >plan.json
python3 - <<'END'
import json
environment = json.load(open("plan.json"))["instances"][0]["environment"]
print(environment["A"], environment["B"], "OMP_NUM_THREADS" in environment, "PATH" in environment)
END
