# SPDX-License-Identifier: Apache-2.0
"""
What was measured of a layer, remembered between two starts: is it faster packed? A file in the user's cache, one object a
machine and version of PyTorch, in it a word for each layer with a shape. What cannot be read or written is measured again.
"""
import json
import os

VERSION, MOST_MACHINES, MOST_LAYERS = 1, 8, 4096


def file_path():
    """Where fettle keeps it; None: the user has no cache."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    if not base.startswith("/"):
        home = os.environ.get("HOME") or ""
        if not home.startswith("/"):
            return None
        base = os.path.join(home, ".cache")
    return os.path.join(base, "fettle", "pytorch.json")


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith(("model name", "CPU part")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return "unknown"


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
    except (OSError, ValueError):
        return {}
    machines = kept.get("machines") if isinstance(kept, dict) and kept.get("version") == VERSION else None
    if not isinstance(machines, dict):
        return {}
    return {name: layers for name, layers in machines.items() if isinstance(layers, dict)}


class Verdicts:
    """`path` None: nothing is remembered. `machine`: tells on what the verdicts rest, asked when the first is needed."""

    def __init__(self, path, machine):
        self._path, self._ask, self._machine, self._new, self._known = path, machine, None, {}, None

    def get(self, layer):
        """True: faster packed, False: not; None: not measured."""
        if self._known is None:
            self._machine = self._ask()
            self._known = _read(self._path).get(self._machine, {}) if self._path else {}
        word = self._new.get(layer) or self._known.get(layer)
        return None if word not in ("packed", "plain") else word == "packed"

    def put(self, layer, packed):
        self._new[layer] = "packed" if packed else "plain"

    def save(self):
        """Add what is new to what is there by now. Another process may do the same at once: one of them is lost."""
        if not self._new or not self._path:
            return
        machines = _read(self._path)
        layers = machines.pop(self._machine, {})
        for layer, word in self._new.items():
            layers.pop(layer, None)
            layers[layer] = word
        machines[self._machine] = dict(list(layers.items())[-MOST_LAYERS:])
        kept = {"version": VERSION, "machines": dict(list(machines.items())[-MOST_MACHINES:])}
        temporary = "%s.%d" % (self._path, os.getpid())
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(kept, file)
                os.replace(temporary, self._path)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError:
            pass
        self._new = {}
