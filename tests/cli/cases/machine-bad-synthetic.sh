# SPDX-License-Identifier: Apache-2.0
fettle plan --machine 'synthetic:pack:x'
