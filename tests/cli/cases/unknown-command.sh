# SPDX-License-Identifier: Apache-2.0
fettle rnu -- true
