# SPDX-License-Identifier: Apache-2.0
# Files that may not be read, and a folder that may not be written.
echo '{}' >plan.json
echo '<topology/>' >machine.xml
chmod 0 plan.json machine.xml
chmod 555 .
user=
if [ "$(id -u)" = 0 ]; then
	chmod 755 .
	command -v setpriv >/dev/null || { echo skip: no setpriv to leave root with; exit 77; }
	user='setpriv --reuid 65534 --regid 65534 --clear-groups'
	$user fettle version >/dev/null 2>&1 || { echo skip: nobody may not run the build; exit 77; }
fi
$user fettle run --plan plan.json -- true || echo $?
$user fettle plan --machine machine.xml || echo $?
$user fettle machine -q --machine synthetic:2 --output result || echo $?
