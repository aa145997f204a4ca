# SPDX-License-Identifier: Apache-2.0
fettle plan --machine 'synthetic:pack:2 numa:1 core:4 pu:2' --instances 3 --no pools
