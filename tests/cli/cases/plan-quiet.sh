# SPDX-License-Identifier: Apache-2.0
fettle plan -q --machine 'synthetic:pack:2 numa:1 core:4 pu:1' --throughput --reserve 1
