# SPDX-License-Identifier: Apache-2.0
"""
Children that a program starts with an environment made by hand. Most make it from a copy of os.environ (torchrun does), and
that shows the user's PYTHONPATH, without the folder that has the hook loaded: it is put in front again. An environment that
does not carry our FETTLE_PLAN was not made from ours and stays as it is.
"""
import functools
import os

NAME, PLAN = "PYTHONPATH", "FETTLE_PLAN"
ENV_POSITION = 10  # of `env` among Popen's arguments, in every Python 3


def environment_for_child(environment, with_hook):
    """The environment to hand on, which is the caller's own when nothing is to be changed."""
    plan = os.environ.get(PLAN)
    if environment is None or plan is None or environment.get(PLAN) != plan:
        return environment
    changed = dict(environment)
    changed[NAME] = with_hook(changed.get(NAME))
    return changed


def watch(subprocess, with_hook):
    """Wrap Popen.__init__, through which every way of starting a child in this module goes."""
    original = subprocess.Popen.__init__

    @functools.wraps(original)
    def __init__(self, *args, **kwargs):
        try:
            if len(args) > ENV_POSITION:
                args = list(args)
                args[ENV_POSITION] = environment_for_child(args[ENV_POSITION], with_hook)
            elif kwargs.get("env") is not None:
                kwargs["env"] = environment_for_child(kwargs["env"], with_hook)
        except Exception:
            pass  # not a mapping of texts: Popen says what is wrong with it
        return original(self, *args, **kwargs)

    subprocess.Popen.__init__ = __init__
