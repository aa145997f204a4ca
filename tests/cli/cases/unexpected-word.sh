# SPDX-License-Identifier: Apache-2.0
fettle version here
