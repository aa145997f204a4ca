# SPDX-License-Identifier: Apache-2.0
# Arguments reach the program byte for byte.
cat >show.py <<'END'
import os, sys
print([os.fsencode(word) for word in sys.argv[1:]])
END
bytes=$(printf 'a\377b')
fettle run -q -- python3 show.py 'a b' '' '*' "$bytes" "new
line" '$HOME' '\\' -- -q --help
