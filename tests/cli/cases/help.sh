# SPDX-License-Identifier: Apache-2.0
fettle --help
test "$(fettle --help)" = "$(fettle help)"
