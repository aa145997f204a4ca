# SPDX-License-Identifier: Apache-2.0
# A stream of oneDNN's becomes a table, a document, folded stacks and a profile; what is none is refused.
export XDG_CONFIG_HOME=$PWD/config
head='onednn_verbose,v1,info,oneDNN v3.12.0 (commit 80afa71)\nonednn_verbose,v1,info,cpu,runtime:OpenMP,nthr:2\n'
line() { # OPERATION SIZE MS
	echo "onednn_verbose,v1,primitive,$1,cpu,convolution,jit:avx2,forward_training,src:f32::blocked:abcd::f0 wei:f32:a:blocked:Acdb16a::f0 bia:undef::undef::: dst:f32::blocked:abcd::f0,attr-scratchpad:user,alg:convolution_direct,mb1_ic8oc16_ih$2oh$2kh1sh1dh0ph0_iw$2ow$2kw1sw1dw0pw0,$3"
}
{
	printf "$head"
	for round in 1 2 3 4 5 6; do
		for size in 10 20 30; do
			line create:cache_miss $size 0.5
			printf 'step %s: ' $round
			line exec $size 2
		done
	done
	line exec 10 2 | head -c 60
} >trace
fettle onednn --capacity 2 trace
fettle onednn -q - <trace
fettle onednn --json trace | python3 -c '
import json, sys
told = json.load(sys.stdin)
cache = told.pop("cache")
print({name: told[name] for name in ("schema", "streams", "lines", "cut_lines", "other_lines", "primitives", "layout", "reference_share", "time")})
print({name: value for name, value in cache.items() if name != "curve"})
print([point["hit_rate"] for point in cache["curve"]][:4], len(cache["curve"]), told["unknown"])'
fettle onednn --folded - trace
# 1,500 shapes in turn, as they are printed by a cache of 1024.
{
	printf "$head"
	line create:cache_miss SIZE 1 | awk '{ for (i = 0; i < 6000; i++) { text = $0; gsub(/SIZE/, 1 + i % 1500, text); print text } }'
} >cycle
fettle onednn cycle
fettle onednn --save mine --output table cycle
fettle plan --profile mine --save again --throughput >/dev/null
fettle onednn --save again cycle >/dev/null
cat config/fettle/profiles/again.json
for words in /dev/null missing '' 'trace missing' '--instances 2 trace' '--capacity 70000 trace' '--save .x trace' '--save mine trace' \
	'--folded x --output x trace' '--keep x trace' run '--json run true' 'run --folded - true' 'run --dry-run true' \
	'run -- ./missing' 'run --keep x/y true'; do
	code=0
	fettle onednn $words >/dev/null || code=$?
	echo $code
done
cat config/fettle/profiles/mine.json # where the default does as well, it is what is kept
# Of two processes one stream each: twice the creations, and no hit that crosses over.
fettle onednn --json cycle cycle | python3 -c '
import json, sys
told = json.load(sys.stdin)
print(told["streams"], told["primitives"]["creations"], told["cache"]["distinct"], round(told["cache"]["curve"][-1]["hit_rate"], 4))'
# From a program: its output and its end are its own.
code=0
fettle onednn --keep kept --save mine run -q --output told -- sh -c 'echo one; cat cycle; printf two; exit 9' || code=$?
echo " $code"
cmp kept cycle
head -1 told
