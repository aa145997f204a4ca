# SPDX-License-Identifier: Apache-2.0
fettle doctor serve.py
