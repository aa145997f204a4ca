# SPDX-License-Identifier: Apache-2.0
"""
A method of ours in the place of a class's own, such that nobody who looks at the class finds it different: instances, what
is pickled of them, signatures and sources are as before. TorchScript compiles a method from the source that `inspect` finds
(by __wrapped__: the original's) and looks up names where the function does, so the new one has the original's globals. What
torch.compile and torch.export do with a method of PyTorch's own goes by its file, in which they compile nothing by itself.
"""
import functools
import types


def onto(owner, name, make, keeps_file=False):
    """
    Put make(original) in the place of owner.name. The function made must use no global names: it gets the original's.
    `keeps_file`: it stands in the original's file.
    """
    original = owner.__dict__[name]
    made = make(original)
    code, was = made.__code__, original.__code__
    if keeps_file:
        code = code.replace(co_filename=was.co_filename, co_firstlineno=was.co_firstlineno)
    method = types.FunctionType(code, original.__globals__, original.__name__, made.__defaults__,
                                made.__closure__)
    setattr(owner, name, functools.update_wrapper(method, original))
