# SPDX-License-Identifier: Apache-2.0
fettle machine --machine 'synthetic:core:4 pu:1' --allowed-cpus 7
