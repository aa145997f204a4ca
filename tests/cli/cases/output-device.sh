# SPDX-License-Identifier: Apache-2.0
fettle machine -q --machine synthetic:2 --output /dev/stdout | cat
test -e /dev/null && fettle machine --machine synthetic:2 --output /dev/null
test -c /dev/null
