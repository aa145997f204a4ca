# SPDX-License-Identifier: Apache-2.0
# Of the instances those that are named start, on their own cores.
for words in '--instance-idx 1' '--instance-idx 0,2-3' '--instance-idx -1' '--instance-idx='; do
	fettle ipexrun --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --dry-run --ninstances 4 $words --no-python true | sed -n 's/^System calls of //p; s/.*sched_setaffinity/ &/p'
	echo
done
