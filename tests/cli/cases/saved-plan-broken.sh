# SPDX-License-Identifier: Apache-2.0
echo '{"schema": "fettle.plan/1",' >broken.json
fettle run --plan broken.json -- true
