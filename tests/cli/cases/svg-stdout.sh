# SPDX-License-Identifier: Apache-2.0
# "-" is standard output, for the picture alone; the result goes to --output or nowhere.
fettle machine --machine synthetic:2 --svg picture.svg >/dev/null
fettle machine --machine synthetic:2 --svg - | cmp - picture.svg
fettle machine --machine synthetic:2 --svg - -q --output result | cmp - picture.svg
cat result
fettle plan --machine synthetic:2 --json --svg - --output result >plan.svg
grep -c '"schema": "fettle.plan/1"' result
grep -c '</svg>' plan.svg
ls
