# SPDX-License-Identifier: Apache-2.0
fettle machine -q --machine synthetic:2 >&-
