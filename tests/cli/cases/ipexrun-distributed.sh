# SPDX-License-Identifier: Apache-2.0
try() { "$@" || echo "exit $?" >&2; }
try fettle ipexrun --nnodes 2 --nprocs_per_node 4 --hostfile 'my hosts' --ccl-worker-count 2 train.py --name 'a b' '$c'
try fettle ipexrun --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --nnodes 1 --master-addr 10.0.0.1 --extra-mpi-params '-v' -m pkg.train
