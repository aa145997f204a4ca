# SPDX-License-Identifier: Apache-2.0
command -v fish >/dev/null || { echo skip: no fish; exit 77; }
fettle completion fish >fettle.fish
fish -n fettle.fish
