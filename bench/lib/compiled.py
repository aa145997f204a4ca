# SPDX-License-Identifier: Apache-2.0
"""
Runs a script of PyTorch with its model compiled (torch.compile, and TorchInductor's freezing, which packs weights), without a
change to the script: the first module that it calls itself is the model.

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
    if sys._getframe(1).f_code.co_filename != script:
        return plain(module, *args, **kwargs)  # as a model is made, some of its modules run
    torch.nn.Module.__call__ = plain
    compiled.append(module)

    # As module.compile() does, but of a function that is not PyTorch's own: in those no compiling begins, and the
    # forward() of a Sequential is one.
    def call(*arguments, **words):
        return module._call_impl(*arguments, **words)

    module._compiled_call_impl = torch.compile(call)
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
