# SPDX-License-Identifier: Apache-2.0
fettle run -q -- true
fettle -q run true
