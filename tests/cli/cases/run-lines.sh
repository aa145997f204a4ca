# SPDX-License-Identifier: Apache-2.0
fettle run --instances 1 -- true
