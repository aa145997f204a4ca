# SPDX-License-Identifier: Apache-2.0
fettle run --machine 'synthetic:core:2' -- touch started || code=$?
test ! -e started
exit $code
