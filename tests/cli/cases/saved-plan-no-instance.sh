# SPDX-License-Identifier: Apache-2.0
fettle plan --json --output plan.json
fettle run --plan plan.json --instance 3 -- true
