# SPDX-License-Identifier: Apache-2.0
# A line stays a line, whatever the user wrote.
fettle run "no
such" || code=$?
exit $code
