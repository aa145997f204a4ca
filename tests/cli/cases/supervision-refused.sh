# SPDX-License-Identifier: Apache-2.0
# Bad values of the options of supervision: one line, and nothing is started.
for words in '--fail never' '--fail restart=0' '--fail restart=x' '--fail restart=' '--timeout 0' '--timeout x' '--timeout -1' '--stagger x'; do
	fettle run $words -- echo started || echo $?
done
