# SPDX-License-Identifier: Apache-2.0
fettle plan --machine synthetic:4 --no pools --no allocator --why OMP_THREADS
