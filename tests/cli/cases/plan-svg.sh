# SPDX-License-Identifier: Apache-2.0
# Plan and picture agree: text and JSON are as without it, and every CPU is drawn once as its instance's.
check() {
	machine=$1
	shift
	fettle --machine "$machine" machine --json --output machine.json
	fettle --machine "$machine" plan "$@" --json --svg picture.svg >plan.json
	fettle --machine "$machine" plan "$@" --json | cmp - plan.json
	python3 "$SOURCE/tests/cli/picture.py" picture.svg machine.json plan.json
}
big='synthetic:package:4 [numa(memory=64GB)] l3:2 core:36 pu:2'
huge='synthetic:package:8 [numa(memory=64GB)] l3:8 core:8 pu:2'
check "$SOURCE/tests/data/machines/two-nodes-smt.xml" --instances 2 --reserve 1
check "$SOURCE/tests/data/machines/hybrid.xml" --smt --efficiency-cores
check "$big" --instances 1 --cross-node
check "$big" --instances 64
check "$huge" --throughput --smt
check "$huge" --latency
check "$huge" --instances 512
check synthetic:pu:1
fettle plan --machine synthetic:2 --svg picture.svg >with
fettle plan --machine synthetic:2 >without
cmp with without
