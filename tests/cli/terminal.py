#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run a command on a terminal of its own and show what it writes there, escapes as \\e: terminal.py NAME=VALUE... -- COMMAND"""
import os
import pty
import sys

variables, command = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
child, terminal = pty.fork()
if child == 0:
    os.environ.pop("TERM", None)
    os.environ.update(variable.split("=", 1) for variable in variables)
    os.execvp(command[0], command)
data = b""
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:  # EIO: the other end is closed
        break
    if not piece:
        break
    data += piece
sys.stdout.write(data.decode().replace("\r\n", "\n").replace("\x1b", "\\e"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
