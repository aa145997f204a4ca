# SPDX-License-Identifier: Apache-2.0
command -v zsh >/dev/null || { echo skip: no zsh; exit 77; }
fettle completion zsh >_fettle
zsh -n _fettle
