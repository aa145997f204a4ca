# SPDX-License-Identifier: Apache-2.0
# A variable with odd bytes passes untouched; fettle's own are there.
bytes=$(printf 'x\001\377y')
ODD="$bytes" fettle run -q -- sh -c 'printf %s "$ODD" | od -An -tx1; test -n "$FETTLE_PLAN"'
