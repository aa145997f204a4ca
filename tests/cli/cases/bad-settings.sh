# SPDX-License-Identifier: Apache-2.0
for words in '--set NOVALUE' '--set =x' '--unset =' '--no such'; do
	code=0
	fettle plan --machine synthetic:2 $words >out || code=$?
	test $code = 2
	test ! -s out
done
