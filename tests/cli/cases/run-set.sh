# SPDX-License-Identifier: Apache-2.0
fettle run -q --set A=1 --set B='x y' --set A=2 --unset HOME -- sh -c 'echo "$A,$B,${HOME-gone}"'
