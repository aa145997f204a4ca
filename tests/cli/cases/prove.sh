# SPDX-License-Identifier: Apache-2.0
# What can be tried on which machine, without trying it; and what is refused.
export XDG_CACHE_HOME=$PWD/cache
fettle prove --machine 'synthetic:pack:1 numa:1 core:4 pu:1' --dry-run --only threads,binding,memory,onednn-cache,layout,bf16
fettle prove --machine 'synthetic:pack:2 numa:1 core:4 pu:2' --dry-run --only threads,memory --cpu-quota 3
fettle prove --machine 'synthetic:pack:2 numa:1 core:4 pu:2' --dry-run --only threads,memory --allowed-nodes 1 --allowed-cpus 8-15 --cpu-quota 6
fettle prove --machine 'synthetic:core:4 pu:1' --dry-run -q --only wait,nothing
# A user's program: its layouts are its own.
fettle prove --machine 'synthetic:core:2 pu:2' --dry-run --only layout,threads=cores,onednn-cache -- sh -c true
fettle prove --machine 'synthetic:core:4 pu:1' --dry-run --json --only memory=local | python3 -c '
import json, sys
told = json.load(sys.stdin)
print({name: told[name] for name in ("schema", "machine", "noise", "unknown")})
for trial in told["trials"]:
    print(trial)'
# The control is there only where it is named.
fettle prove --machine 'synthetic:core:4 pu:1' --dry-run --json | python3 -c '
import json, sys
trials = json.load(sys.stdin)["trials"]
print(len(trials), [trial["advice"] for trial in trials if trial["advice"] == "nothing"])
assert all(trial["verdict"] in ("not-possible", "undecided") and trial["samples"] == 0 for trial in trials)'
while read -r words; do
	code=0
	fettle prove $words || code=$?
	echo "$words: $code"
done <<END
--machine synthetic:core:2
--only alocator --dry-run
--only allocator= --dry-run
--budget soon
--budget 0
--rate -- true
--metric x=([0-9]+)
--metric x=[0-9]+ -- true
--metric ( -- true
--profile .x -- true
--samples /nowhere/at/all -- true
--profle x
END
# A program that fails says so, once; nothing is kept.
code=0
fettle prove --only binding -- sh -c 'echo no such model >&2; exit 3' || code=$?
echo $code
code=0
fettle prove --only binding --metric 'x=([0-9]+)' -- echo y=3 || code=$?
echo $code
[ ! -e cache/fettle ] || ls cache/fettle | grep proof || true
