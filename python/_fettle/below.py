# SPDX-License-Identifier: Apache-2.0
"""
Calls with something below autograd: each operator that PyTorch comes to is handed to a function of ours, in this thread alone. The
dispatch mode for that is put on PyTorch's stack by hand. Its own `with` also sets what all threads see, and where two threads do so
at a time torch.compile compiles nothing any more (2.6 to 2.9). It is held until it is taken away: up to 2.10 the stack does not.
"""


class Below:
    """Raises AttributeError or TypeError where PyTorch has no such modes."""

    def __init__(self, torch):
        from torch.utils._python_dispatch import TorchDispatchMode

        class Mode(TorchDispatchMode):
            def __init__(self, handle):
                super().__init__()
                self.handle = handle

        def dispatch(self, function, types, args=(), kwargs=None):
            return self.handle(function, args, kwargs or {})

        # Not in the class's body, from where PyTorch takes it to guard it, and imports its compiler for that.
        Mode.__torch_dispatch__ = dispatch
        self._mode = Mode
        self.push, self.pop = torch._C._push_on_torch_dispatch_stack, torch._C._pop_torch_dispatch_stack

    def run(self, handle, function, args=(), kwargs=None):
        """function(*args, **kwargs), in which handle(operator, args, kwargs) gives what an operator gives."""
        mode = self._mode(handle)
        self.push(mode)
        try:
            return function(*args, **(kwargs or {}))
        finally:
            self.pop(None)
