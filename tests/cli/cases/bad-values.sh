# SPDX-License-Identifier: Apache-2.0
# One line each, naming option and value.
for words in '--instances 0' '--instances=-1' '--instances 2x' '--instances 99999999999' '--cores-per-instance -2' \
	'--threads 0' '--reserve x' '--nodes 3-1' '--cpus a' '--cpus=' '--strategy wide' '--memory here' '--pin all' \
	'--instance -1' '--cpu-quota 0' '--cpu-quota 1,5' '--memory-limit 1Q' '--memory-limit 0' '--allowed-cpus ,' \
	'--allowed-nodes x' '--machine=' '--why=' '--reserve 101%' \
	'--per socket' '--packages x' '--near -1'; do
	code=0
	fettle plan $words || code=$?
	test $code = 2
done
