# SPDX-License-Identifier: Apache-2.0
"""
Layers whose float32 is computed in another precision, because the user asked for it: numbers change, and by how much is said.

With `bf16` a packed weight is one of bfloat16, each input is rounded to it, products are summed in float32 by oneDNN, and the
output, rounded to bfloat16 once, is handed on as float32: types and everything else are as before. Within a list of operators it
goes on as it is to where that is no difference (narrow.py). PyTorch's own switch for it
(torch.set_float32_matmul_precision, torch.backends.mkldnn.matmul.fp32_precision) and oneDNN's math mode do nothing on a
processor without AMX.

How far the results are from those of float32 is what the check of each packing finds anyway: of a layer's output, or of all that
leaves a region, for the first input that was packed for.
"""
MARGIN = 5e-2         # of the largest value: a layer that is farther off stays as it is
REGION_MARGIN = 2e-1  # what leaves a region has gone through many


def lowered(row, torch, told):
    """The kind of layer that `row` is, computed in bfloat16."""
    narrow = torch.bfloat16

    class Lowered(row):
        def __init__(self, ops):
            super().__init__(ops)
            self._run_as_it_is = self.run
            self.run = self._run_narrow

        def pack(self, weight, geometry, input):
            return super().pack(weight.to(narrow), geometry, input)

        def _run_narrow(self, input, packed, bias, *arguments):
            if told.waiting:
                told.runs(packed)
            return self._run_as_it_is(input.to(narrow), packed, bias, *arguments).to(input.dtype)

    return Lowered


class Told:
    """
    The line for the user, once: when a packing is in use, all of the model's have been checked. A layer outside of a region is
    packed at the second batch, and a region is found at the first, seen at the second and checked at the third.
    """

    RUNS = 4

    def __init__(self, engine, word, dtype, say):
        self.dtype, self._engine, self.word, self._say = dtype, engine, word, say
        self.waiting, self._runs = True, {}

    def runs(self, packed):
        """The first time is the check of it."""
        count = self._runs[id(packed)] = self._runs.get(id(packed), 0) + 1
        if count >= self.RUNS:
            self.finish()

    def finish(self):
        """Say it, if there is anything to say and it was not said."""
        if self.waiting and any(count > 1 for count in self._runs.values()):
            self.waiting, self._runs = False, {}
            if self._say:
                self._say(self.line())

    def line(self):
        """By how much; None: nothing was computed so but to check it."""
        if self.waiting:
            return None
        engine = self._engine
        found = [(engine.differs, "layers' outputs"), (engine.regions_differ(), "what leaves a part with channels last")]
        parts = ["%s by up to %.2g %%" % (what, 100 * differs) for differs, what in found if differs]
        return "PyTorch: --precision %s changes numbers, in the first batch %s of the largest value" % (
            self.word, " and ".join(parts) or "by nothing")
