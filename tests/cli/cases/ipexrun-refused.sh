# SPDX-License-Identifier: Apache-2.0
try() { "$@" || echo "exit $?" >&2; }
try fettle ipexrun
try fettle ipexrun prog
try fettle ipexrun xpu train.py
try fettle ipexrun -m --no-python prog
try fettle ipexrun --ninstances many train.py
try fettle ipexrun --nosuch train.py
try fettle ipexrun --n 2 train.py
try fettle ipexrun --json --no-python true
try fettle ipexrun --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --no-python true
try fettle ipexrun --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --dry-run --ninstances 2 --ncores-per-instance 7 --no-python true
try fettle ipexrun --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --dry-run --ninstances 9 --no-python true
try fettle ipexrun --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --dry-run --ncores-per-instance 5 --bind-numa-node --no-python true
try fettle ipexrun --machine 'synthetic:pack:2 [numa(memory=8GB)] core:4 pu:2' --dry-run --ninstances 2 --instance-idx 1,2 --no-python true
try fettle ipexrun --no-python /nowhere/prog
try fettle run_cpu --omp-runtime intel train.py
try fettle run_cpu --enable-tcmalloc --enable-jemalloc train.py
