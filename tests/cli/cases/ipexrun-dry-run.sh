# SPDX-License-Identifier: Apache-2.0
fettle --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --dry-run ipexrun --ninstances 2 --multi-task-manager taskset --memory-allocator default --no-python -- \
	/bin/sh -c 'echo "$A"' '' 'a b'
