# SPDX-License-Identifier: Apache-2.0
# Each option that chooses places says what it did, and what it could not do.
memory=$SOURCE/tests/data/machines/memory-only-node.xml
four='synthetic:pack:2 [numa(memory=8GB)] l3:2 core:4 pu:1'
for words in '--near 4 --cores-per-instance 1 --instances 1 --why near' '--near 4 --why near' '--near 7' \
	'--per node --near 1 --why near'; do
	echo "== $words"
	fettle plan --machine "$memory" $words 2>&1 || true
done
for words in '--per l3 --why per' '--per package --packages 1 --why per' '--spread --nodes 1 --why spread' \
	'--spread --per l3 --why spread' '--reserve 25% --instances 3 --why reserve' \
	'--reserve 1 --cross-node --cores-per-instance 8 --instances 1 --why reserve' '--packages 2' '--near 0' \
	'--per core --cpu-quota 3' '--per l3 --instances 3' '--compact --spread'; do
	echo "== $words"
	fettle plan --machine "$four" $words 2>&1 || true
done
