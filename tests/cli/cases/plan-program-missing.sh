# SPDX-License-Identifier: Apache-2.0
fettle plan --machine synthetic:2 --why program-unknown -- no-such-program
