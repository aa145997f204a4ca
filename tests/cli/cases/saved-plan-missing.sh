# SPDX-License-Identifier: Apache-2.0
fettle run --plan none.json -- true
