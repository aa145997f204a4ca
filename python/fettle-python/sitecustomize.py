# SPDX-License-Identifier: Apache-2.0
"""
Python imports this at its start when fettle has put the folder first on PYTHONPATH. It takes the folder out again, so that
the program finds sys.path, os.environ and its own sitecustomize as without fettle, and waits for `import torch`: then the
package _fettle beside this folder does what FETTLE_PLAN says.

Child processes inherit the variable: it is restored where the program looks (os.environ), not where exec looks (C's environ),
also when the program sets it anew. Environments that it hands to its children by hand are looked after by _fettle.children.

Any Python reads this, also one too old for the rest: it keeps to what Python 2 understands.
"""
import os
import sys

_HERE = os.path.dirname(__file__)
_NAME = "PYTHONPATH"
_THREADS = "OMP_NUM_THREADS"
# What is read before it, and goes by it where it is not set itself (fettle's src/settings/pools.c).
_FOLLOWERS = ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LATER = ("transformers.pytorch_utils",)  # modules that have layers, too (_fettle.layers, home)


def _complain(error):
    try:
        sys.stderr.write("fettle: the hook for PyTorch steps back: %s: %s\n" % (type(error).__name__, error))
    except Exception:
        pass


def _users_path(path):
    """The user's own part of the variable; None: it was not set. Named twice: it was set, and empty."""
    entries = path.split(os.pathsep)
    if entries == [_HERE, _HERE]:
        return ""
    if _HERE in entries:
        entries.remove(_HERE)
        return os.pathsep.join(entries) if entries else None
    return path


def _with_hook(users):
    """The reverse."""
    if users is None:
        return _HERE
    return users if _HERE in users.split(os.pathsep) else os.pathsep.join((_HERE, users or _HERE))


def _restore():
    """Take the folder out of where the program looks."""
    while _HERE in sys.path:
        sys.path.remove(_HERE)
    ours = os.environ.get(_NAME)
    users = None if ours is None else _users_path(ours)
    if users != ours:
        shown = os.environ._data if hasattr(os.environ, "_data") else os.environ.data
        same = lambda text: text  # noqa: E731 - Python 2 has nothing to encode
        name = getattr(os.environ, "encodekey", same)(_NAME)
        if users is None:
            del shown[name]
        else:
            shown[name] = getattr(os.environ, "encodevalue", same)(users)


def _followers():
    """
    Those of them that have fettle's number, of which the program is to know nothing where it says OMP_NUM_THREADS itself.
    If somebody did on the way here, none: they are taken out at once.
    """
    ours = _field("set", "").split(",")
    values = dict((name, os.environ[name]) for name in _FOLLOWERS if name in ours and name in os.environ)
    threads = os.environ.get(_THREADS, "").split(",")[0].strip()
    if _THREADS in ours and len(values) > 1 and len(set(values.values())) == 1 and threads not in values.values():
        _drop(values)
    return set(values)


def _drop(names):
    for name in list(names):
        os.environ.pop(name, None)
    names.clear()


def _keep():
    """
    What the program makes of the variable goes to C's environ with the folder: os.environ calls these two. And where it says
    how many threads OpenMP has, the libraries that go by that are told nothing else.
    """
    put, unset, name = os.putenv, os.unsetenv, os.fsencode(_NAME)
    followers = _followers()

    def putenv(key, value):
        text = os.fsdecode(key)
        if text == _NAME:
            value = _with_hook(os.fsdecode(value))
        elif text == _THREADS and os.fsdecode(value) != os.environ.get(_THREADS):
            _drop(followers)
        followers.discard(text)
        put(key, value)

    def unsetenv(key):
        if os.fsencode(key) == name:
            put(key, _HERE)
        else:
            unset(key)

    os.putenv, os.unsetenv = putenv, unsetenv


def _field(name, default):
    """One of FETTLE_PLAN, whose fields are "name=value;"."""
    fields = os.environ.get("FETTLE_PLAN", "").split(";")
    if fields[0] == "1":
        for field in fields:
            if field.startswith(name + "="):
                return field[len(name) + 1:]
    return default


def _decisions():
    """What the plan has for this process: the words of the field "hook", or None."""
    words = _field("hook", None)
    return None if words is None else dict(word.partition(":")[::2] for word in words.split(","))


def _package():
    """The package _fettle, which is on no path."""
    import _frozen_importlib
    import _frozen_importlib_external
    name = "_fettle"
    if name not in sys.modules:
        folder = os.path.join(os.path.dirname(_HERE), name)
        path = os.path.join(folder, "__init__.py")
        spec = _frozen_importlib.ModuleSpec(name, _frozen_importlib_external.SourceFileLoader(name, path), origin=path)
        spec.submodule_search_locations = [folder]
        spec.has_location = True
        module = _frozen_importlib.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


class _Loader(object):
    """A module's own loader, and then ours. What the module sees of it is its own."""

    def __init__(self, loader, finder, name):
        self._loader, self._finder, self._name = loader, finder, name

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        if getattr(module, "__spec__", None) is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._finder.arrived(self._name, module)

    def __getattr__(self, name):
        return getattr(self._loader, name)


class _Finder(object):
    """Waits for the modules that are of interest, finds nothing by itself, and goes when there is nothing to wait for."""

    def __init__(self, waiting):
        self._waiting = waiting

    def find_spec(self, name, path=None, target=None):
        if name not in self._waiting:
            return None
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self, name)
                return spec
        return None

    def arrived(self, name, module):
        begin = self._waiting.pop(name, None)
        if not self._waiting and self in sys.meta_path:
            sys.meta_path.remove(self)
        if begin:
            try:
                begin(module)
            except Exception as error:
                _complain(error)


def _wait(decisions):
    waiting = {
        "torch": lambda module: _package().begin_torch(module, decisions),
        "subprocess": lambda module: _package().begin_subprocess(module, _with_hook),
    }
    waiting.update((name, lambda module: _package().begin_later(module)) for name in _LATER)
    finder = _Finder(waiting)
    sys.meta_path.insert(0, finder)
    for name in [name for name in waiting if name in sys.modules]:
        finder.arrived(name, sys.modules[name])


_kept = sys.modules.pop("sitecustomize", None)  # Python 2 would clear the names above
try:
    _restore()
    _words = _decisions() if sys.version_info >= (3, 8) else None
    if _words is not None:
        _keep()
        _wait(_words)
except Exception as _error:
    _complain(_error)
import sitecustomize  # noqa: E402 - the user's own, or the error that says there is none
