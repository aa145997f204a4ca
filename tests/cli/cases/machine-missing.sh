# SPDX-License-Identifier: Apache-2.0
fettle machine --machine none.xml
