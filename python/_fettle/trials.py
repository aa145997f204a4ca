# SPDX-License-Identifier: Apache-2.0
"""
Layers that are alike, of one size with inputs of one size, are measured together. The first few are packed and timed as they
run, the others stay plain until those have told, and then are packed too or never. So a model of 96 equal layers pays for three,
and where packing does not pay, no memory is spent on the rest.
"""
from _fettle.known import GAIN, ROUNDS, Times

LEADERS = ROUNDS       # layers that are measured
SURE = 0.85            # of the plain time: what is below needs no more rounds, whoever had them
PATIENCE = ROUNDS + 2  # calls that a layer waits: leaders need one to be packed and ROUNDS to be timed, but may go meanwhile


class Trial(Times):
    """What those with one name were seen to take. `faster`: None until that is known."""

    __slots__ = ("leaders", "faster")

    def __init__(self, size):
        super().__init__(size)
        self.leaders, self.faster = 0, None


class Trials:
    """Those of a process. `verdicts`: verdicts.Verdicts, which are told."""

    def __init__(self, verdicts):
        self._verdicts, self._all = verdicts, {}

    def outcome(self, name):
        """Is it faster packed? None: not known yet."""
        trial = self._all.get(name)
        return trial and trial.faster

    def leads(self, name, shape, size):
        """Is this layer, with its input of so many values, to be packed before that is known?"""
        trial = self._all.get(name)
        if trial is None:
            trial = self._all[name] = Trial(size)
        if not shape.leads:
            shape.leads = trial.leaders < LEADERS or shape.waits >= PATIENCE
            trial.leaders += shape.leads
            shape.waits += 1
        return shape.leads

    def took(self, name, shape, plain_ns, packed_ns, size):
        """One that leads was timed both ways."""
        trial = self._all[name]
        if trial.faster is not None:
            return  # another thread was faster
        trial.took(plain_ns, packed_ns, size)
        shape.rounds += 1
        sure = trial.rounds >= ROUNDS and trial.packed_ns <= SURE * trial.plain_ns
        if sure or shape.rounds >= ROUNDS:
            trial.faster = trial.packed_ns <= GAIN * trial.plain_ns
            self._verdicts.put(name, trial.faster, trial.packed_ns / trial.plain_ns)

    def tell(self, name, shape):
        """The shape what it takes."""
        trial = self._all[name]
        scale = shape.size / trial.size
        shape.plain_ns, shape.packed_ns = trial.plain_ns * scale, trial.packed_ns * scale
