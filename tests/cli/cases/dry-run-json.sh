# SPDX-License-Identifier: Apache-2.0
# The same document as the plan's.
spec='synthetic:pack:2 numa:1 core:2 pu:1'
fettle --machine "$spec" --json --dry-run run --instances 2 -- sh >one
fettle plan --machine "$spec" --json --instances 2 -- sh >two
cmp one two
