# SPDX-License-Identifier: Apache-2.0
# Shared options mean the same before the command and behind it.
spec='synthetic:pack:2 numa:1 core:4 pu:2'
fettle --machine "$spec" --json --cpu-quota 3 plan >one
fettle plan --machine="$spec" --cpu-quota=3 --json >two
fettle --json plan --machine "$spec" --cpu-quota 3 >three
cmp one two
cmp one three
