# SPDX-License-Identifier: Apache-2.0
fettle plan --machine synthetic:4 --instances 4 --instances=2 --json | grep -c '"index"'
