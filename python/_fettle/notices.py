# SPDX-License-Identifier: Apache-2.0
"""
What a program does that costs it speed and that it may not know of. Nothing is said to a program that trains: gradients on in
evaluation count only where no backward came and no optimizer was made.
"""
import functools
import os
import sys

FEW = 20  # calls of layers that are not worth a line


def _subclasses(kind):
    for sub in kind.__subclasses__():
        yield sub
        yield from _subclasses(sub)


class Notices:
    def __init__(self, torch, engine):
        self._torch, self._engine = torch, engine
        self._threads, self._backward = None, False
        self._watch_threads()
        self._watch_backward()

    def forget(self):
        """In a child: what the parent did is said there."""
        self._threads = None
        self._engine.primitives.forget()

    # ---- Who sets the number of threads ----

    def _watch_threads(self):
        torch, original = self._torch, self._torch.set_num_threads
        folder = os.path.dirname(torch.__file__) + os.sep

        @functools.wraps(original)
        def set_num_threads(*args):
            if self._threads is None and args:
                try:
                    self._note_threads(args[0], torch.get_num_threads(), folder, sys._getframe(1))
                except Exception:
                    pass
            return original(*args)

        torch.set_num_threads = set_num_threads

    def _note_threads(self, count, planned, folder, caller):
        """A loader's worker has one by torch's own word."""
        name = caller.f_code.co_filename
        if isinstance(count, int) and count != planned and not name.startswith(folder):
            self._threads = "torch.set_num_threads(%d) at %s:%d, where %d were planned" % (
                count, name[-200:], caller.f_lineno, planned)

    # ---- Gradients that nobody wants ----

    def _watch_backward(self):
        """Until the first: then everything is as it was."""
        autograd = self._torch.autograd
        original = getattr(autograd, "_engine_run_backward", None)
        if original is None:
            self._backward = True  # another PyTorch: it cannot be told
            return

        @functools.wraps(original)
        def run(*args, **kwargs):
            self._backward = True
            if autograd._engine_run_backward is run:
                autograd._engine_run_backward = original
            return original(*args, **kwargs)

        autograd._engine_run_backward = run

    def _trains(self):
        """An optimizer's class has its `step` wrapped when the first is made."""
        return self._backward or any(getattr(kind.__dict__.get("step"), "hooked", False)
                                     for kind in _subclasses(self._torch.optim.Optimizer))

    # ---- What there is to say ----

    def lines(self):
        lines = [self._threads] if self._threads else []
        if self._engine.graded >= FEW and not self._trains():
            lines.append("gradients are on in %d calls of layers in evaluation, and no backward came: what "
                         "torch.inference_mode() would save is in docs/pytorch.md" % self._engine.graded)
        if not self._torch._C._get_mkldnn_enabled():
            lines.append("oneDNN is switched off (torch.backends.mkldnn.enabled)")
        primitives = self._engine.primitives.notice()
        if primitives:
            lines.append(primitives)
        return lines
