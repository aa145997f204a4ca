# SPDX-License-Identifier: Apache-2.0
command -v bash >/dev/null || { echo skip: no bash; exit 77; }
fettle completion bash >fettle.bash
cat >try.bash <<'END'
source ./fettle.bash
try() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_fettle
	echo "$*: ${COMPREPLY[*]}"
}
try fettle m
try fettle run --inst
try fettle --machine x pl
try fettle run --pin ''
try fettle plan --strategy c
try fettle completion ''
END
bash try.bash
