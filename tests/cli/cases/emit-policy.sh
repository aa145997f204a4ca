# SPDX-License-Identifier: Apache-2.0
# Policies that a container, Slurm or taskset has no word for, and what they get.
for form in docker compose taskset slurm kubernetes; do
	fettle plan --machine "$SOURCE/tests/data/machines/two-nodes-smt.xml" --memory interleave --no pools --no allocator --no agent \
		--emit $form -- prog | grep -v '^# \(Made\|Planned\)'
done
