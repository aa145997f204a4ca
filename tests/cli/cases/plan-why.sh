# SPDX-License-Identifier: Apache-2.0
fettle plan --machine synthetic:4 --why OMP_NUM_THREADS | head -n 3
