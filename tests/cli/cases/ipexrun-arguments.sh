# SPDX-License-Identifier: Apache-2.0
# Byte for byte, with an exit code, under each name.
ln -s "$(command -v fettle)" ipexrun
ln -s "$(command -v fettle)" torch-run-cpu
cat >show.py <<'EOF'
import sys
print(sys.argv[1:], sys.stdout.write_through)
sys.exit(int(sys.argv[1]))
EOF
code() { "$@" || echo "exit $?"; }
code ./ipexrun -q cpu show.py 3 'a b' '"' "'" '$HOME' ';' '*' '' --ninstances 2
code ./ipexrun -q show.py 4 -- --help
code ./torch-run-cpu -q --disable-iomp show.py 5 'a  b'
code fettle ipexrun -q -m show 6
code fettle ipexrun -q --no-python sh -c 'exit 7'
code fettle run_cpu -q --disable-iomp --ninstances 1 --no-python sh -c 'exit 8'
