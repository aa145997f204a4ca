# SPDX-License-Identifier: Apache-2.0
# What a form cannot hold is refused in one line, and nothing is written.
no() {
	fettle plan --machine "$SOURCE/tests/data/machines/two-nodes-smt.xml" --no agent --no pools "$@" && echo "not refused: $*"
	[ $? -eq 2 ] || echo "$*: $?"
}
latin=$(printf 'caf\351')
no --emit nowhere -- prog
no --emit shell --json -- prog
no --emit shell --why pin -- prog
no --emit systemd
no --emit systemd -- ./prog
no --emit systemd -- '/opt/a"b'
no --emit systemd --set "$(printf 'A=\001')" -- /bin/prog
no --emit systemd --set 'a-b=c' -- /bin/prog
no --emit kubernetes --set 'a b=c' -- prog
no --emit compose --memory bind
for form in docker compose kubernetes systemd; do
	no --emit $form -- /bin/prog "$latin"
	no --emit $form --set "A=$latin" -- /bin/prog
done
fettle plan --emit kubernetes --flush-denormals -- true || echo $?
