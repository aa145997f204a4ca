# SPDX-License-Identifier: Apache-2.0
# What cannot be had is left out, with a line; nothing is refused that ran.
printf '#!/bin/sh\nexit 0\n' >prog
chmod +x prog
show='import json, sys
print(*(w["text"] for w in json.load(sys.stdin)["warnings"] if "fallback" in w["id"] or "limited" in w["id"]), sep="\n")'
LD_PRELOAD=/usr/lib/libtcmalloc_of_mine.so fettle ipexrun --json --dry-run --memory-allocator jemalloc --no-python ./prog \
	2>/dev/null | python3 -c "$show"
fettle ipexrun --json --dry-run --memory-limit 512M --memory-allocator jemalloc --benchmark --no-python ./prog |
	python3 -c "$show"
fettle ipexrun --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --cpu-quota 3 --json --dry-run --ninstances 2 \
	--ncores-per-instance 4 --no-python ./prog | python3 -c "$show"
