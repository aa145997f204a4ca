# SPDX-License-Identifier: Apache-2.0
fettle run --json -- touch started || code=$?
test ! -e started
exit $code
