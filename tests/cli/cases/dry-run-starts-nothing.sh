# SPDX-License-Identifier: Apache-2.0
fettle run --dry-run -- touch started >out
test ! -e started
grep -c execve out
