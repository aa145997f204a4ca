# SPDX-License-Identifier: Apache-2.0
"""
What was measured of a layer, remembered between two starts: is it faster packed? A file in the user's cache, one object a
machine and version of PyTorch, in it for each layer with a shape what came of it: a word, packed time over plain time, and how
many starts in a row had that word. What cannot be read or written is measured again.

A neighbour on the machine can spoil a measurement, and what is left plain is not looked at again in its process. So `plain` is
believed when a second start has measured the same, and only after more of them where the times were close.
"""
import json
import os

VERSION, MOST_MACHINES, MOST_LAYERS = 2, 8, 4096
CLOSE = 1.07            # packed time over plain time: not far from what would have been kept
STARTS, CLOSE_STARTS = 2, 5  # that must have found a layer no faster packed


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


def _is_verdict(value):
    return isinstance(value, list) and len(value) == 3 and value[0] in ("packed", "plain") and \
        all(isinstance(number, (int, float)) for number in value[1:])


class Verdicts:
    """`path` None: nothing is remembered. `machine`: tells on what the verdicts rest, asked when the first is needed."""

    def __init__(self, path, machine):
        self._path, self._ask, self._machine, self._new, self._known = path, machine, None, {}, None
        self._unsaved = set()
        os.register_at_fork(after_in_child=self._unsaved.clear)  # what the parent measured is its own to save

    def get(self, layer):
        """True: faster packed, False: not; None: to be measured."""
        if self._known is None:
            self._machine = self._ask()
            self._known = _read(self._path).get(self._machine, {}) if self._path else {}
        if layer in self._new:
            return self._new[layer][0] == "packed"
        verdict = self._known.get(layer)
        if not _is_verdict(verdict):
            return None
        word, ratio, starts = verdict
        if word == "packed":
            return True
        return False if starts >= (CLOSE_STARTS if ratio <= CLOSE else STARTS) else None

    def put(self, layer, packed, ratio):
        """What this process measured; `ratio`: packed time over plain time."""
        self._new[layer] = ["packed" if packed else "plain", round(ratio, 3), 1]
        self._unsaved.add(layer)

    def save(self):
        """Add what is new to what is there by now. Another process may do the same at once: one of them is lost."""
        if not self._unsaved or not self._path:
            return
        machines = _read(self._path)
        layers = machines.pop(self._machine, {})
        for layer in [layer for layer in self._new if layer in self._unsaved]:
            verdict = list(self._new[layer])
            before = layers.pop(layer, None)
            if _is_verdict(before) and before[0] == verdict[0]:
                verdict[2] += before[2]
            layers[layer] = verdict
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
        self._unsaved.clear()
