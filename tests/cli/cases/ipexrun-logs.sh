# SPDX-License-Identifier: Apache-2.0
# Each instance's output in a file of its own, and the code of the one that failed: once the other, which is stopped
# then, has said its word.
test "$(nproc)" -ge 2 || { echo skip: one CPU only; exit 77; }
fettle ipexrun -q --ninstances 2 --log_dir logs --log-file-prefix web --no-python sh -c '
	echo out $FETTLE_INSTANCE
	test $FETTLE_INSTANCE = 1 || { : >said; exit 0; }
	until test -e said; do sleep 0.01; done
	exit 1' ||
	echo "exit $?"
ls logs | sed 's/[0-9]\{14\}/TIME/'
cat logs/*
fettle run_cpu -q --disable-iomp --log_path twin --no-python echo alone
cat twin/run_*_instance.0.log
