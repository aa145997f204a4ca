# SPDX-License-Identifier: Apache-2.0
# --log-dir: a file an instance for both streams, appended; nothing is started where it cannot be written.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
script='echo out $FETTLE_INSTANCE; echo err $FETTLE_INSTANCE >&2; printf "no end"'
fettle run -q --instances 2 --log-dir logs/new -- sh -c "$script"
fettle run -q --instances 2 --log-dir logs/new -- sh -c 'echo again'
fettle run -q --log-dir logs --log-prefix web -- sh -c "$script"
echo a restart appends, too
fettle run -q --log-dir logs --log-prefix again --fail restart=1 -- sh -c 'echo life; exit 3' || echo $?
echo and what is collected goes there whole
fettle run -q --log-dir logs --log-prefix zero --collect 'x=([0-9])' -- sh -c 'printf "a\0b x=1\n"; echo err >&2; printf end'
for file in $(find logs -type f | sort); do
	echo "$file:"
	od -An -c "$file" | tr -s ' '
done
stat -c %a logs/web.0.log
refused() {
	fettle run -q "$@" -- echo started || echo $?
}
echo >file
refused --log-dir file/logs
refused --log-dir logs --log-prefix a/b
refused --log-dir logs --log-prefix "$(printf 'a\tb')"
mkfifo logs/pipe.0.log
refused --log-dir logs --log-prefix pipe
mkdir logs/folder.0.log
refused --log-dir logs --log-prefix folder
