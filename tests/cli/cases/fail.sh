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
script='case $FETTLE_INSTANCE in 0) exit 5;; esac; sleep 0.5; echo "1 went on"; exit 6'
run -- sh -c "$script"
run --fail stop -- sh -c "$script"
run --fail keep -- sh -c "$script"
run --fail keep -- sh -c 'sleep 0.$((3 - 2 * FETTLE_INSTANCE)); exit 2$FETTLE_INSTANCE'
run --fail restart=1 -- sh -c 'echo x >>$FETTLE_INSTANCE; test $FETTLE_INSTANCE = 1 || exit 5; exec sleep 50'
cat 0
echo restarted until it is well
run --fail restart -- sh -c 'echo x >>well$FETTLE_INSTANCE; test $FETTLE_INSTANCE = 1 || test -s again || { echo >again; exit 7; }'
cat well0
echo a single one, too
fettle run -q --fail restart=1 -- sh -c 'echo x >>single; exit 9' || echo "exit $?"
cat single
