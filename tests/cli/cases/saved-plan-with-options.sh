# SPDX-License-Identifier: Apache-2.0
fettle plan --json --output plan.json
for words in '--instances 2' '--pin none' '--set A=1'; do
	code=0
	fettle run --plan plan.json $words -- true || code=$?
	test $code = 2
done
