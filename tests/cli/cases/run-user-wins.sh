# SPDX-License-Identifier: Apache-2.0
OMP_NUM_THREADS=1 fettle run -- sh -c 'echo $OMP_NUM_THREADS'
