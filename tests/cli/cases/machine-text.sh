# SPDX-License-Identifier: Apache-2.0
fettle machine -q --machine 'synthetic:pack:2 core:4 pu:2'
