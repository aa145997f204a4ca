# SPDX-License-Identifier: Apache-2.0
fettle run --inst 2 -- true
