# SPDX-License-Identifier: Apache-2.0
"""
Runs a script of PyTorch with its model compiled (torch.compile, and TorchInductor's freezing, which packs weights), without a
change to the script: the first module that it calls is the model.

  compiled.py SCRIPT [arguments of the script]
"""

import os
import runpy
import sys

import torch
import torch._dynamo.utils
import torch._inductor.config

plain = torch.nn.Module.__call__
compiled = []


def first_call(module, *args, **kwargs):
    torch.nn.Module.__call__ = plain
    compiled.append(module)
    module.compile()
    return module(*args, **kwargs)


if __name__ == "__main__":
    script, sys.argv = sys.argv[1], sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    torch._inductor.config.freezing = True
    torch.nn.Module.__call__ = first_call
    runpy.run_path(script, run_name="__main__")
    if not compiled:
        sys.exit("the script calls no module that could be compiled")
    if not torch._dynamo.utils.counters["stats"]["unique_graphs"]:
        sys.exit("nothing of the model was compiled")
