# SPDX-License-Identifier: Apache-2.0
# Whole or not at all; a link stays a link, a mode stays a mode, nothing is left behind.
echo old >file
chmod 600 file
ln -s file link
fettle machine -q --machine synthetic:2 --output link
cat file
stat -c %a file
ls
