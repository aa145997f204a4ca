# SPDX-License-Identifier: Apache-2.0
fettle machine --json --machine synthetic:2 >/dev/full
