# SPDX-License-Identifier: Apache-2.0
mkdir folder
fettle run ./folder
