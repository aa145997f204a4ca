# SPDX-License-Identifier: Apache-2.0
echo 'echo started' >script
fettle run ./script
