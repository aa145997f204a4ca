# SPDX-License-Identifier: Apache-2.0
# A plan that was saved and read back is the same plan, and starts the same.
fettle plan --json --output plan.json
fettle run --plan plan.json --dry-run --json -- true >again.json
cmp plan.json again.json
fettle run -q --plan plan.json -- sh -c 'test -n "$OMP_NUM_THREADS"' && echo started
