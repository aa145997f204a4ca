# SPDX-License-Identifier: Apache-2.0
fettle run --instanes 2 -- true
