# SPDX-License-Identifier: Apache-2.0
fettle run --machine 'synthetic:pack:2 numa:1 core:2 pu:1' --instances 2 --pin instance --no allocator --no pools \
	--dry-run --set 'A=it'\''s' --unset HOME -- /bin/sh -c 'echo "$A"' '' 'a b'
