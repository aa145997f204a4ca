# SPDX-License-Identifier: Apache-2.0
fettle run --output file -- true
