# SPDX-License-Identifier: Apache-2.0
# Every command's help is the same by either way, and fits 80 columns.
for command in machine doctor plan run help version completion; do
	fettle $command --help >one
	fettle help $command >two
	cmp one two
	test -z "$(grep -E '^.{81}' one)"
	tail -n 1 one
done
