# SPDX-License-Identifier: Apache-2.0
fettle machine --machine synthetic:4 -- true
