# SPDX-License-Identifier: Apache-2.0
# What --capture cannot do is said in one line, and nothing is written.
refused() {
	code=0
	fettle machine "$@" || code=$?
	echo "$code"
}
refused --capture machine.zip
refused --capture machine.tar --machine synthetic:2
refused --capture machine.tar --json
refused --with-hostname
refused --capture /dev/null.d/machine.tar
ls
