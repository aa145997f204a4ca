# SPDX-License-Identifier: Apache-2.0
fettle run --dry-run -- true >/dev/full
