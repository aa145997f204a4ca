# SPDX-License-Identifier: Apache-2.0
fettle machine --machine 'synthetic:pack:2 numa:1 core:4 pu:2' --cpu-quota 1.5
