# SPDX-License-Identifier: Apache-2.0
# Behind the program's name every option is the program's.
fettle run -q echo --instances 0 -q -- --help
