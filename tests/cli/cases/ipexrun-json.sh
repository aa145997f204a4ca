# SPDX-License-Identifier: Apache-2.0
# Global options stand before or behind the command and before "cpu"; both say the same.
fettle --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --json --dry-run ipexrun --ninstances 2 --no-python prog >before
fettle ipexrun --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --json --dry-run cpu --ninstances 2 --no_python prog >behind
cmp before behind
fettle --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --json --dry-run run_cpu --ninst 2 --no-python prog >twin
for document in before twin; do
	python3 -c 'import json, sys; print(*(i["pus_os"] for i in json.load(sys.stdin)["instances"]))' <$document
done
