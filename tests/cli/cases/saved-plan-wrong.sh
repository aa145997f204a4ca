# SPDX-License-Identifier: Apache-2.0
# One line, naming file and key.
wrong() {
	python3 -c "import json,sys
plan = json.load(open('plan.json'))
$1
json.dump(plan, open('wrong.json', 'w'))"
	code=0
	fettle run --plan wrong.json -- touch started || code=$?
	test $code = 2
	test ! -e started
}
fettle plan --json --output plan.json
wrong 'plan = []'
wrong 'del plan["schema"]'
wrong 'plan["schema"] = "fettle.plan/9"'
wrong 'del plan["settings"]'
wrong 'plan["instances"] = []'
wrong 'plan["instances"][0]["pin"] = "glue"'
