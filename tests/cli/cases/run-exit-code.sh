# SPDX-License-Identifier: Apache-2.0
for code in 0 1 2 3 42 125 126 127 255; do
	got=0
	fettle run -q -- sh -c "exit $code" || got=$?
	echo $code $got
done
