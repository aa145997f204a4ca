# SPDX-License-Identifier: Apache-2.0
# The README's picture is what the README's command draws today.
command=$(sed -n 's|^    \$ \(fettle .* --svg docs/picture.svg\)$|\1|p' "$SOURCE/README.md")
test -n "$command"
mkdir docs
ln -s "$SOURCE/tests" tests
sh -c "$command" >/dev/null
cmp docs/picture.svg "$SOURCE/docs/picture.svg"
