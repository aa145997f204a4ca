# SPDX-License-Identifier: Apache-2.0
spec='synthetic:pack:4 numa:1 core:8 pu:2'
fettle plan --json --machine "$spec" --instances 7 >one
fettle plan --json --machine "$spec" --instances 7 >two
cmp one two
