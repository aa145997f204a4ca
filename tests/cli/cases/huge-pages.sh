# SPDX-License-Identifier: Apache-2.0
# Huge pages are asked for when that is asked; refused by a host that gives none.
unset GLIBC_TUNABLES THP_MEM_ALLOC_ENABLE
told() {
	python3 -c '
import json, sys
plan = json.load(sys.stdin)
environment = plan["instances"][0]["environment"]
print(plan["request"].get("huge-pages"), environment.get("THP_MEM_ALLOC_ENABLE"), "hugetlb=1" in environment["GLIBC_TUNABLES"])'
}
fettle --machine synthetic:4 plan --json | told
fettle --machine synthetic:4 plan --json --huge-pages madvise | told
code=0
fettle plan --machine synthetic:4 --huge-pages always || code=$?
test $code = 2
