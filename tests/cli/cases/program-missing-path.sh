# SPDX-License-Identifier: Apache-2.0
fettle run ./no-such-program
