# SPDX-License-Identifier: Apache-2.0
"""
What came of the hook in this process, for `-v` and for the report: counted while nothing is at stake, put together when a layer
has got its verdict and at the end. fettle shows the lines where it waits for the program; else they are written here.
"""
import json
import os
import time

PART, GRACE_S = 100, 0.05  # telling takes no more than this part of the time, and the grace, while the program goes on


def _never_back(shape):
    return not (shape.ready or shape.closed or shape.tries or shape.held or shape.uses or shape.plain_ns)


class Account:
    """
    `engine`: packs.Packs. `numbers`: precision.Told, or None. `slot`: slot.Slot. `say`: writes a line, where nobody else shows
    them.
    """

    def __init__(self, torch, engine, notices, numbers, slot, say):
        self._torch, self._engine, self._notices, self._numbers = torch, engine, notices, numbers
        self._slot, self._say = slot, say
        self._start, self._spent, self._news, self._forked = time.monotonic(), 0.0, 0, False
        self._calls_before = self._won_before = 0
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self):
        """What was done before is the parent's to tell."""
        self._forked, self._news, self._spent = True, 0, 0.0
        self._calls_before, self._won_before = self._engine.calls(), self._engine.won()
        if self._engine.training:
            self._engine.training.forget()
        self._engine.graded = 0
        self._engine.disturbed.seen.clear()
        if self._engine.share:
            self._engine.share.forget()
        self._notices.forget()

    def changed(self):
        """Something was found out: tell it, for the end may come unseen."""
        self._news += 1
        if self._spent <= GRACE_S + (time.monotonic() - self._start) / PART:
            begin = time.thread_time()  # a busy machine is no reason to tell less
            try:
                self._tell(False)
            except Exception:
                self._spent = float("inf")  # a layer's call is no place for an error of ours
            self._spent += time.thread_time() - begin

    def end(self):
        """The process ends, as far as Python has a word in it."""
        if self._numbers:
            self._numbers.finish()
        training = self._engine.training
        if self._forked and not self._news and self._engine.calls() == self._calls_before and \
                (training is None or not training.calls):
            return  # a child to which nothing happened
        if not self._tell(True) and self._say:
            for line in self._lines(self._state()):
                self._say(line)

    def _tell(self, ended):
        """False: nobody waits for it."""
        if not self._slot.wanted():
            return False
        state = self._state()
        state.update(ended=ended, told_s=round(time.monotonic() - self._start, 3), lines=self._lines(state))
        self._slot.tell(json.dumps(state).encode("ascii"))
        return True

    def _state(self):
        engine, shapes = self._engine, self._engine.shapes()
        regions, training, left = engine.regions, engine.training, engine.share.longest() if engine.share else None
        return {
            "pid": os.getpid(),
            "forked": self._forked,
            "torch": str(self._torch.__version__),
            "threads": self._torch.get_num_threads(),
            "layers": engine.met,
            "layers_packed": engine.packed,
            "left_alone": dict(engine.alone),
            "regions": regions.found if regions else 0,
            "regions_kept": regions.kept if regions else 0,
            "regions_fused": regions.fused if regions else 0,
            "regions_trained": training.used if training else 0,
            "trained_calls": training.calls if training else 0,
            "trained_won_s": round(training.won_ns / 1e9, 3) if training else 0.0,
            "shapes": len(shapes),
            "shapes_packed": sum(shape.ready is not None for shape in shapes),
            "shapes_never_back": sum(_never_back(shape) for shape in shapes),
            "packed_bytes": engine.memory().most,
            "packed_bytes_allowed": engine.memory().limit,
            "packings_without_room": engine.memory().refused,
            "packed_calls": engine.calls() - self._calls_before,
            "won_s": round((engine.won() - self._won_before) / 1e9, 3),
            "precision": self._numbers.word if self._numbers else None,
            "largest_difference": float("%.3g" % engine.differs),
            "regions_largest_difference": float("%.3g" % engine.regions_differ()),
            "left_share": round(left.share(), 3) if left else None,
            "left": left.parts() if left else [],
            "stepped_aside": engine.disturbed.reasons(),
            "notices": self._notices.lines(),
        }

    def _lines(self, state):
        """What a person wants to know of it; none where there was nothing for us."""
        lines = []
        if state["layers"]:
            line = "PyTorch: weights of %d of %d layers packed, %d MiB" % (
                state["layers_packed"], state["layers"], state["packed_bytes"] >> 20)
            if state["regions_kept"]:
                line += ", channels last in %d parts" % state["regions_kept"]
            if state["regions_fused"]:
                line += ", %d of them fused" % state["regions_fused"]
            if state["won_s"] >= 0.005:
                line += ", %.2f s won as measured" % state["won_s"]
            if state["packings_without_room"]:
                line += "; %d packings found no room" % state["packings_without_room"]
                if state["packed_bytes_allowed"] is not None:
                    line += " (%d MiB allowed)" % (state["packed_bytes_allowed"] >> 20)
            lines.append(line + "".join("; %d left alone: %s" % (count, why)
                                        for why, count in sorted(state["left_alone"].items())))
        if state["trained_calls"]:
            line = "PyTorch: channels last with gradients on in %d parts, %d calls" % (state["regions_trained"], state["trained_calls"])
            if state["trained_won_s"] >= 0.005:
                line += ", %.2f s won as rehearsed" % state["trained_won_s"]
            lines.append(line)
        if self._numbers and self._numbers.line():
            lines.append(self._numbers.line())
        lines += ["PyTorch: " + line for line in (self._engine.share.lines() if self._engine.share else ())]
        lines += ["PyTorch: %d calls of layers as ever: %s" % (count, why)
                  for why, count in sorted(state["stepped_aside"].items())]
        return lines + ["PyTorch: " + notice for notice in state["notices"]]
