# SPDX-License-Identifier: Apache-2.0
# plan and run remember only where they may, and what is torn is found out anew.
folder=.cache/fettle
fettle machine >/dev/null
[ ! -e $folder ] || echo "machine remembered something"
fettle plan --no-cache >plan.fresh
fettle run -q --no-cache -- true
[ ! -e $folder ] || echo "--no-cache remembered something"
fettle plan >plan.first
[ -e $folder ] || { echo "skip: the topology of this machine is none to remember"; exit 77; }
fettle plan >plan.second
cmp plan.fresh plan.first
cmp plan.first plan.second
fettle --cpu-quota 0.5 plan --json | grep -c '"threads": 1'
taskset -c 0 fettle plan --json | grep -c '"mask_os": "0"'
for file in $folder/*; do echo torn >"$file"; done
fettle plan >plan.torn
cmp plan.first plan.torn
chmod 777 $folder
fettle plan >plan.open
cmp plan.first plan.open
rm -r $folder
XDG_CACHE_HOME=relative fettle plan --quiet >/dev/null
[ ! -e relative ] && ls -d $folder
rm -r .cache
chmod 555 .
fettle plan >/dev/null
chmod 755 .
