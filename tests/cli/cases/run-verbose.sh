# SPDX-License-Identifier: Apache-2.0
fettle run -v --no allocator --no agent -- true 2>lines
grep -c '^fettle: OMP_NUM_THREADS=.* (plan: ' lines
