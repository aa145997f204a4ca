# SPDX-License-Identifier: Apache-2.0
# The program's own death by a signal is seen as such: nothing of fettle stands in between.
python3 -c 'import subprocess
print(subprocess.run(["fettle", "run", "-q", "--", "sh", "-c", "kill -TERM $$"]).returncode)'
