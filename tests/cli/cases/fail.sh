# SPDX-License-Identifier: Apache-2.0
# --fail: stop, keep or restart; the code is that of the first to fail for good.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
run() {
	code=0
	fettle run --instances 2 --no-cache "$@" 2>err || code=$?
	sed "/'fettle plan' says why/d; / end  *wall /,\$d" err
	echo "exit $code"
}
# Instance 0 fails at once, 1 writes what became of it.
script='case $FETTLE_INSTANCE in 0) exit 5;; esac; sleep 2; echo "1 went on"; exit 6'
run -- sh -c "$script"
run --fail stop -- sh -c "$script"
run --fail keep -- sh -c "$script"
# Instance 1 is the first to fail, whatever the machine is busy with: 0 waits until nobody has its number any more.
run --fail keep -- sh -c 'if test $FETTLE_INSTANCE = 1; then echo $$ >pid; mv pid first; exit 21; fi
	until test -e first; do sleep 0.05; done
	while kill -0 $(cat first) 2>/dev/null; do sleep 0.05; done
	exit 20'
run --fail restart=1 -- sh -c 'echo x >>$FETTLE_INSTANCE; test $FETTLE_INSTANCE = 1 || exit 5; exec sleep 50'
cat 0
echo restarted until it is well
run --fail restart -- sh -c 'echo x >>well$FETTLE_INSTANCE; test $FETTLE_INSTANCE = 1 || test -s again || { echo >again; exit 7; }'
cat well0
echo a single one, too
fettle run -q --fail restart=1 -- sh -c 'echo x >>single; exit 9' || echo "exit $?"
cat single
