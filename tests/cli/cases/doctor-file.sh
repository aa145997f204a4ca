# SPDX-License-Identifier: Apache-2.0
# A container that is not here: what its file tells is judged, the rest is unknown; all within 80 columns.
fettle doctor --machine "$SOURCE/tests/data/machines/two-nodes-smt.xml" --allowed-cpus 0-3 --allowed-nodes 1 --cpu-quota 1.5 >report
cat report
test -z "$(grep -E '^.{81}' report)"
