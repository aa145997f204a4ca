# SPDX-License-Identifier: Apache-2.0
# A venv with a wheel that brings its own libgomp: nothing of it is run, and the wheel's copy is in charge.
command -v gcc >/dev/null || { echo "skip: no gcc here"; exit 77; }
torch=venv/lib/python3.9/site-packages/torch
mkdir -p venv/bin "$torch/lib"
cp /bin/true venv/bin/python3.9
ln -s python3.9 venv/bin/python
printf 'home = /usr/bin\nversion = 3.9.1\n' >venv/pyvenv.cfg
library() { echo 'int x;' | gcc -shared -fPIC -x c - -o "$torch/$1" "-Wl,-soname,$2" -Wl,--no-as-needed -L"$torch/lib" $3; }
library lib/libgomp.so.1 libgomp.so.1
library lib/libtorch_cpu.so libtorch_cpu.so "-l:libgomp.so.1 -Wl,-rpath,\$ORIGIN"
library _C.cpython-39-x86_64-linux-gnu.so _C.so "-l:libtorch_cpu.so -Wl,-rpath,\$ORIGIN/lib"
printf '#!%s/venv/bin/python\nraise SystemExit("run")\n' "$PWD" >script
chmod +x script

fettle machine --json -- ./script >machine.json
python3 - <<'END'
import json
machine = json.load(open("machine.json"))
first, of = machine["libraries"][0], machine["libraries_of"]
print(first["family"], first["name"], first["path"])
print(first["usable"], first["in_charge"], first["loaded_by"], first["place"], first["package"], first["why_not"])
print(of["program"], of["python"]["kind"], of["python"]["version"], of["libc"], of["in_charge"]["openmp"] == first["path"])
print(of["nobody_in_charge"]["allocator"])
END
fettle machine -- ./script | sed -n '/^Libraries/,$p' >text
grep -c 'in charge' text
awk 'length > 80' text
# A shell script is a shell's program: what it starts is not known.
printf '#!/bin/sh\nexec ./script "$@"\n' >wrapper.sh
chmod +x wrapper.sh
fettle machine -- ./wrapper.sh | grep 'the shell'
fettle doctor -- ./wrapper.sh | grep 'the shell'
fettle machine --json -- ./wrapper.sh | python3 -c 'import json, sys; print(json.load(sys.stdin)["libraries_of"]["note"])'
fettle machine --json -- ./script | python3 -c 'import json, sys; print(json.load(sys.stdin)["libraries_of"]["note"])'
# Without a program the tree stays as short as it was; JSON says what any program's loader finds.
fettle machine | grep -c Libraries || true
fettle machine --json | python3 -c '
import json, sys
machine = json.load(sys.stdin)
print(machine.get("libraries_of"), any(l["in_charge"] for l in machine["libraries"]))'
fettle machine --machine synthetic:4 --json | grep -c libraries || true
