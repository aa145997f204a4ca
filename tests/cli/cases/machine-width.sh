# SPDX-License-Identifier: Apache-2.0
# Limit by limit the sentence about a machine grows: it stays within 80 columns, and one line with -q.
limits="--allowed-cpus 1-3,5 --allowed-nodes 2-3 --cpu-quota 1.5 --memory-limit 3G"
# shellcheck disable=SC2086
fettle machine --machine 'synthetic:pack:4 [numa(memory=8GB)] core:4 pu:1' $limits | tail -3
# shellcheck disable=SC2086
fettle machine --machine 'synthetic:pack:4 [numa(memory=8GB)] core:4 pu:1' $limits -q
