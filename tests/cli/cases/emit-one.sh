# SPDX-License-Identifier: Apache-2.0
# One instance under limits, its words the user's: plain scripts for any shell, a single unit.
machine="$SOURCE/tests/data/machines/two-nodes-smt.xml"
common="--no pools --no allocator --pin instance --nodes 1 --memory bind --memory-limit 4G --cpu-quota 2.5 --unset MALLOC_CONF"
for form in shell docker; do
	fettle plan --machine "$machine" $common --emit $form
done
fettle plan --machine "$machine" $common --set 'A=b c' --emit systemd --output unit -- /usr/bin/python3 serve.py
cat unit
