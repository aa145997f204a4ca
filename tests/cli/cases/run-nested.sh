# SPDX-License-Identifier: Apache-2.0
# A nested fettle takes the outer one's variables for ours.
fettle run -q --threads 1 -- fettle run -q --threads 1 -- sh -c 'echo $OMP_NUM_THREADS'
