# SPDX-License-Identifier: Apache-2.0
"""Is this a call at which nothing is to be replaced?"""


class Disturbed:
    """Does something look at every operation, or have it done in another way? Then none is replaced."""

    def __init__(self, torch, here):
        c = torch._C
        autocast, tracing, deterministic = torch.is_autocast_enabled, c._is_tracing, c._get_deterministic_algorithms
        modes, functions = c._len_torch_dispatch_stack, c._len_torch_function_stack
        transforms = c._functorch.peek_interpreter_stack
        enabled, precision = c._get_mkldnn_enabled, c._get_float32_matmul_precision
        lowered = (lambda: False) if _keeps_float32(torch) else lambda: _is_lowered(precision)

        def others():  # in one expression, as every call of a layer asks
            return (tracing() or modes() or functions() > here.modes or transforms() or deterministic() or not enabled() or
                    lowered())

        self.but_by_autocast, self._any_does = others, lambda: autocast("cpu") or others()
        self._asks = {
            "autocast": lambda: autocast("cpu"),
            "tracing": tracing,
            "a dispatch mode": modes,
            "a function mode": lambda: functions() > here.modes,
            "a function transform": transforms,
            "deterministic algorithms": deterministic,
            "oneDNN switched off": lambda: not enabled(),
            "a float32 precision set by the program": lowered,
        }
        self.seen = {}  # by reason, how often it was one
        self._any_does()  # a question that this PyTorch does not have is noticed now

    def __call__(self):
        return self._any_does() and self._note()

    def _note(self):
        for name, ask in self._asks.items():
            if ask():
                self.seen[name] = self.seen.get(name, 0) + 1
                break
        return True

    def reasons(self):
        """Why, and how often."""
        return dict(self.seen)


def _keeps_float32(torch):
    """Does a lower float32 precision mean nothing here? oneDNN's kernels round by themselves with AMX, and on arm."""
    amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return amx is not None and not amx() and torch.backends.cpu.get_cpu_capability().startswith("AVX")


def _is_lowered(precision):
    try:
        return precision() != "highest"
    except RuntimeError:
        return True  # it was set for one backend, and PyTorch refuses to say of all
