# SPDX-License-Identifier: Apache-2.0
mkdir folder
fettle machine --machine synthetic:2 --output folder || code=$?
ls -A folder
exit $code
