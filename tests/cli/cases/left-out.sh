# SPDX-License-Identifier: Apache-2.0
# What --no leaves nothing to do for is said, once an option.
machine="synthetic:pack:1 numa:1 core:4 pu:1"
for words in "allocator --allocator tcmalloc" "onednn --max-isa avx2 --fpmath bf16" "denormal --flush-denormals" \
	"huge-pages --huge-pages madvise" "pytorch --prepack on --channels-last off" "pytorch" "onednn --prepack on"; do
	echo "== $words"
	# shellcheck disable=SC2086
	fettle plan --machine "$machine" --no $words -- python3 -c pass | sed -n 's/.*\(--.* has no effect.*\)/\1/p'
done
