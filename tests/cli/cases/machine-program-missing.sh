# SPDX-License-Identifier: Apache-2.0
fettle machine here
