# SPDX-License-Identifier: Apache-2.0
# Lines of several instances: whole, with their instance before them on a terminal or when asked for, else untouched.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
script='echo out $FETTLE_INSTANCE; echo err $FETTLE_INSTANCE >&2; printf "no end"'
echo as they are
fettle run -q --instances 2 --stagger 200 -- sh -c 'printf "a\r\n\0"; printf b >&2' >out 2>err
od -An -c out | tr -s ' '
od -An -c err | tr -s ' '
echo asked for
fettle run -q --instances 2 --log-prefix web -- sh -c "$script" >out 2>err
sort out
echo on stderr
sort err
echo on a terminal
python3 "$SOURCE/tests/cli/terminal.py" TERM=dumb -- fettle run -q --instances 2 -- sh -c "$script" | sort
echo not for one
python3 "$SOURCE/tests/cli/terminal.py" TERM=dumb -- fettle run -q --timeout 50 -- sh -c "$script"
echo
echo whole lines
fettle run -q --instances 2 --log-prefix '' -- true || echo $?
fettle run -q --instances 2 --log-prefix p -- sh -c 'seq -f "%.0f of $FETTLE_INSTANCE, a line of some length to be cut somewhere" 20000' >out
for i in 0 1; do
	grep "^\[p.$i\] [0-9]* of $i, a line of some length to be cut somewhere\$" out | sed "s/^\[p.$i\] //" | cut -d' ' -f1 >seen
	seq 20000 | cmp - seen
done
wc -l <out
