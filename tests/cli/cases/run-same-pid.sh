# SPDX-License-Identifier: Apache-2.0
# The shell becomes fettle, and fettle becomes the program: one process from start to end.
sh -c 'echo $$ >before; exec fettle run -q -- sh -c "echo \$\$ >after"'
cmp before after && echo same
