# SPDX-License-Identifier: Apache-2.0
fettle plan --machine "$SOURCE/tests/data/machines/two-nodes-smt.xml" --throughput --no agent --no pools --no allocator \
	--emit docker -- python3 serve.py "it's \$5" 50%
