# SPDX-License-Identifier: Apache-2.0
# The program's mask is the plan's.
cpu=$(fettle plan --json --threads 1 --instances 1 | python3 -c 'import json,sys
print(json.load(sys.stdin)["instances"][0]["pus_os"].split(",")[0].split("-")[0])')
fettle run -q --cpus $cpu -- sh -c 'grep Cpus_allowed_list /proc/self/status' | grep -qw "$cpu"
