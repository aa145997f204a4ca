# SPDX-License-Identifier: Apache-2.0
fettle run --instances 100000 -- touch started || code=$?
test ! -e started
exit $code
