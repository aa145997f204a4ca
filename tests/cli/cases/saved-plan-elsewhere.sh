# SPDX-License-Identifier: Apache-2.0
# Made for a machine with CPUs that we may not use here.
fettle plan --json --machine 'synthetic:core:1280 pu:1' --cpus 1200-1201 --output plan.json
fettle run --plan plan.json -- touch started || code=$?
test ! -e started
exit $code
