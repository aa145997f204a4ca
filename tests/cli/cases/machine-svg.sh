# SPDX-License-Identifier: Apache-2.0
# The tree as usual, and the picture of the same machine beside it.
data=$SOURCE/tests/data/machines
for name in hybrid memory-only-node two-nodes-smt; do
	fettle machine --machine "$data/$name.xml" --allowed-cpus 0-2 --json --output machine.json
	fettle machine -q --machine "$data/$name.xml" --allowed-cpus 0-2 --svg picture.svg
	python3 "$SOURCE/tests/cli/picture.py" picture.svg machine.json
done
fettle machine -q --svg live.svg >/dev/null
fettle machine --json --output live.json
python3 "$SOURCE/tests/cli/picture.py" live.svg live.json >/dev/null
ls
