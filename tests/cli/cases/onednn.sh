# SPDX-License-Identifier: Apache-2.0
# oneDNN's knobs: in the request and the environment when asked, refused where oneDNN has none such.
unset ONEDNN_PRIMITIVE_CACHE_CAPACITY ONEDNN_MAX_CPU_ISA ONEDNN_DEFAULT_FPMATH_MODE
plan() { fettle --machine synthetic:4 plan "$@"; }
for options in '' '--onednn-cache 4096 --max-isa avx2 --fpmath bf16'; do
	plan --json $options | python3 -c '
import json, sys
plan = json.load(sys.stdin)
print({key: plan["request"].get(key) for key in ("onednn-cache", "max-isa", "fpmath")})
print({name: value for name, value in plan["instances"][0]["environment"].items() if "DNN" in name})
print(*[(row["origin"], row["changes_numbers"]) for row in plan["settings"] if row["family"] == "onednn"])'
done
for options in '--onednn-cache 0' '--onednn-cache 65537' '--max-isa AVX3' '--fpmath int8' \
	'--max-isa avx2 --set DNNL_MAX_CPU_ISA=AVX'; do
	code=0
	plan $options || code=$?
	test $code = 2
done
