# SPDX-License-Identifier: Apache-2.0
"""
A method of ours in the place of a class's own, such that nobody who looks at the class finds it different: instances, what
is pickled of them, signatures and sources are as before. TorchScript compiles a method from the source that `inspect` finds
(by __wrapped__: the original's) and looks up names where the function does, so the new one has the original's globals.
"""
import functools
import types


def onto(owner, name, make):
    """
    Put make(original) in the place of owner.name. The function made must use no global names: it gets the original's.
    """
    original = owner.__dict__[name]
    made = make(original)
    method = types.FunctionType(made.__code__, original.__globals__, original.__name__, made.__defaults__,
                                made.__closure__)
    setattr(owner, name, functools.update_wrapper(method, original))
