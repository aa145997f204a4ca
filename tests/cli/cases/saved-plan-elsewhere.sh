# SPDX-License-Identifier: Apache-2.0
# Made for a machine with CPUs that we may not use here.
fettle plan --json --machine 'synthetic:core:4096 pu:1' --cpus 4000-4001 --output plan.json
fettle run --plan plan.json -- touch started || code=$?
test ! -e started
exit $code
