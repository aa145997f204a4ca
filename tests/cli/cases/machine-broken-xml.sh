# SPDX-License-Identifier: Apache-2.0
echo '<topology><object type="Machine"' >broken.xml
fettle plan --machine broken.xml
