# SPDX-License-Identifier: Apache-2.0
fettle plan --why OMP_NUM_THREADS --json
