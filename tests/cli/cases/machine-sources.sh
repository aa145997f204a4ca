# SPDX-License-Identifier: Apache-2.0
# The forms a machine's file may have, told apart by themselves; broken ones are one line.
printf '# CPU,Core,Socket,Node\n0,0,0,0\n1,1,0,1\n2,0,0,0\n3,1,0,1\n' >table
fettle machine -q --machine lscpu:table
fettle plan -q --machine lscpu:table --throughput
lines() {
	code=0
	fettle machine --machine "$1" 2>error || code=$?
	echo "$code $(wc -l <error)"
}
printf '# CPU,Core\n0,0\n0,1\n' >twice
: >empty.tar
head -c 1000 /dev/urandom >noise.tar.gz
mkfifo fifo.tar
mkdir no-sys
for machine in lscpu:twice empty.tar noise.tar.gz fifo.tar no-sys lscpu:no-sys lscpu:/dev/zero /dev/zero; do
	lines "$machine"
done
