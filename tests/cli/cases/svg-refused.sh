# SPDX-License-Identifier: Apache-2.0
# One line each, nothing printed, nothing half written.
say() {
	"$@" && code=0 || code=$?
	echo "exit $code"
}
mkdir folder
say fettle machine --machine synthetic:2 --svg none/file
say fettle plan --machine synthetic:2 --svg folder
say fettle machine --machine synthetic:2 --svg /dev/full
say fettle machine --machine synthetic:2 --svg same --output same
say fettle plan --machine synthetic:2 --svg - --json
say fettle machine --machine synthetic:2 --svg ''
say fettle plan --machine synthetic:2 --instances 3 --svg picture.svg
say fettle run --svg picture.svg true
ls
