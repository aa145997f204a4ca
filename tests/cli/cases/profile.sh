# SPDX-License-Identifier: Apache-2.0
# A profile is written, found by its name, wins over --for and gives way to the command line; the program sees it.
export XDG_CONFIG_HOME=$PWD/config
unset OMP_NUM_THREADS OMP_THREAD_LIMIT ONEDNN_PRIMITIVE_CACHE_CAPACITY TOKENIZERS_PARALLELISM
plan() { fettle --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:1' plan -q "$@"; }
told() {
	python3 -c '
import json, sys
plan = json.load(sys.stdin)
request = plan["request"]
print({key: request.get(key) for key in ("for", "profile", "throughput", "threads", "pin", "memory", "onednn-cache")})
print(sorted((row["name"], row["value"], row["origin"]) for row in plan["settings"] if row["origin"] != "plan"))
print(sorted({note["rule"] for note in plan["reasons"]} & {"for", "profile"}))'
}
plan --threads 2 --onednn-cache 4096 --set A=b --unset C --no agent --for benchmark --pin none --save mine >/dev/null
cat config/fettle/profiles/mine.json
plan --profile mine --json | told
plan --profile mine --threads 3 --set A=c --for any --json | told
plan --profile config/fettle/profiles/mine.json --onednn-cache 8 --save other.json --dry-run >/dev/null
test ! -e other.json
plan --profile mine --onednn-cache 8 --save ./other.json >/dev/null
grep -c -e '"onednn-cache": 8' -e '"threads": 2' other.json
plan --for inference --json | told
plan --allocator tcmalloc --save ./malloc.json >/dev/null
plan --profile malloc.json --json | told
plan --profile malloc.json --allocator jemalloc --json | told
fettle run -q --profile other.json --pin none -- sh -c 'echo "$ONEDNN_PRIMITIVE_CACHE_CAPACITY $A ${C-none}"'
fettle run -q --for training -- sh -c 'echo $TOKENIZERS_PARALLELISM'
fettle run -q --for benchmark --memory none -- sh -c 'echo $OMP_PROC_BIND'
printf '{\n"instnaces": 2\n}\n' >wrong.json
printf '{"threads": 2' >cut.json
for options in '--profile wrong.json' '--profile cut.json' '--profile none' '--profile a/b' '--profile .x' '--save .x'; do
	code=0
	plan $options || code=$?
	echo $code
done
code=0
plan --threads 9 --save never 2>/dev/null || code=$?
test $code = 2
test ! -e config/fettle/profiles/never.json
fettle plan --json --output plan.json
fettle run --plan plan.json --profile mine -- true || echo $?
