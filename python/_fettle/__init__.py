# SPDX-License-Identifier: Apache-2.0
"""
What fettle does inside a Python program. It is loaded by fettle-python/sitecustomize.py when the program imports torch, or
something that starts children, and decides nothing: the plan's words (FETTLE_PLAN, field "hook") say what to do.

Every way in is guarded: after an exception of ours the program runs on as if we were not there.
"""


def begin_torch(torch, decisions):
    """torch has just been imported: do what the plan decided."""
    from _fettle import start
    start.begin(torch, decisions)


def begin_later(module):
    """A module has just been imported that may have layers, too; it has imported torch."""
    from _fettle import start
    start.begin_later(module)


def begin_subprocess(subprocess, with_hook):
    """subprocess has just been imported: have children that get a copy of our environment get all of it."""
    from _fettle import children
    children.watch(subprocess, with_hook)
