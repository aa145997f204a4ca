# SPDX-License-Identifier: Apache-2.0
"""
What came of looking at a function's source, by what was asked meanwhile. A model has many layers of one class: of the second
one the same is asked, and where all answers are the same, so is what comes of it. Sources are read once, not once a layer.
"""
from _fettle import living, questions

MOST = 16  # outcomes of one function that are kept


def _kept(question, answer, module):
    """Of an answer what decides. No module is kept alive for it."""
    if question == "note":
        return answer
    if isinstance(answer, module):
        return type(answer), bool(answer._modules)
    if questions.is_simple(answer) or answer is living.UNKNOWN or answer is living.PRESENT:
        return type(answer), answer
    return type(answer) if hasattr(answer, "__dict__") and not callable(answer) else answer


def _is_same(one, two):
    return one is two or type(one) is tuple and one == two


class Log:
    """
    What is asked while a function's source is looked at. `ask(question, *words)`: what `answers` has for it, noted down.
    `refused`: why it is not harmless.
    """

    def __init__(self, answers, module):
        self._answers, self._module, self.entries, self.refused = answers, module, [], None

    def ask(self, question, *words):
        answer = self._answers.answer(self._module, question, words)
        self.entries.append((question, words, _kept(question, answer, self._answers.module)))
        return answer


class Memo:
    """`answers`: has answer(module, question, words), and as `module` PyTorch's class of that name."""

    def __init__(self, answers):
        self._answers, self._logs = answers, {}

    def find(self, key, module):
        """The log of a time when all was answered as now; None: it has to be looked at. Asking notes the answers."""
        return next((log for log in self._logs.get(key, ()) if self._fits(log, module)), None)

    def _fits(self, log, module):
        for question, words, due in log.entries:
            if not _is_same(_kept(question, self._answers.answer(module, question, words), self._answers.module), due):
                return False
        return True

    def put(self, key, log):
        logs = self._logs.setdefault(key, [])
        if len(logs) < MOST:
            log._module = None
            logs.append(log)
