# SPDX-License-Identifier: Apache-2.0
# What each word comes to for a machine that is not here: nothing is looked for, and a library is warned of.
machine="synthetic:numa:1(memory=64GB) core:4 pu:1"
for word in auto glibc tuned-glibc jemalloc jemalloc-aggressive tcmalloc mimalloc; do
	echo "== $word"
	fettle plan --machine "$machine" --allocator $word --json >plan
	python3 - <<'EOF'
import json
plan = json.load(open("plan"))
names = ("LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_CONF")
print(plan["request"]["allocator"], {k: v for k, v in plan["instances"][0]["environment"].items() if k in names})
for row in plan["settings"]:
    if row["name"] in names + ("allocator",):
        print(row["family"], row["name"], row["origin"], row["changes_numbers"])
for warning in plan["warnings"]:
    print(warning["id"], warning["text"])
EOF
done
for words in "--allocator hoard" "--allocator jemalloc-aggressive --memory-limit 4G" "--allocator tuned-glibc --memory-limit 512M" \
	"--allocator tcmalloc --unset LD_PRELOAD" "--allocator mimalloc --no preload"; do
	fettle plan --machine "$machine" $words && echo "not refused: $words" || echo "exit $?"
done
fettle plan --machine "$machine" --allocator jemalloc-aggressive --memory-limit 5G --quiet >/dev/null
fettle plan --machine "$machine" --allocator tcmalloc --no allocator --why allocator
