# SPDX-License-Identifier: Apache-2.0
# What is deprecated or has no effect here is said in a line each, and goes on.
fettle ipexrun --skip_cross_node_cores --enable_jemalloc --auto-ipex --dtype bfloat16 --nprocs-per-node 2 \
	--machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --json --dry-run --no-python prog |
	python3 -c 'import json, sys; r = json.load(sys.stdin)["request"]; print(r["one-node"], r["allocator"])'
fettle -q ipexrun --node-id 1 --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --json --dry-run --no-python prog |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["request"]["nodes"])'
