# SPDX-License-Identifier: Apache-2.0
"""Readers of what 'fettle plan --emit' writes, made from the tools' manuals and not from fettle."""
import re

# What a started program says of itself, as JSON in a file beside it; bytes as hexadecimal digits.
PROBE = """#!/usr/bin/python3
import ctypes, json, os, platform, sys
mode, nodes = ctypes.c_int(-1), (ctypes.c_ulong * 16)()
number = {"x86_64": 239, "aarch64": 236}[platform.machine()]
refused = ctypes.CDLL(None).syscall(number, ctypes.byref(mode), nodes, ctypes.c_ulong(1024), None, ctypes.c_ulong(0))
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "said.%d" % os.getpid()), "w") as file:
    json.dump({
        "cpus": sorted(os.sched_getaffinity(0)),
        "mode": -1 if refused else mode.value,
        "nodes": [bit for bit in range(64) if nodes[0] >> bit & 1],
        "argv": [os.fsencode(word).hex() for word in sys.argv[1:]],
        "environment": {name.hex(): value.hex() for name, value in os.environb.items()},
    }, file)
"""


def cpus_of(text):
    cpus = set()
    for part in text.split(",") if text else []:
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def mask_of(text):
    value = int(text, 16)
    return {bit for bit in range(value.bit_length()) if value >> bit & 1}


def unit_words(value, command_line):
    """Split as systemd.syntax(7) says: quotes, C escapes; then specifiers; then, in command lines, variables."""
    words, position = [], 0
    while True:
        while position < len(value) and value[position] in " \t":
            position += 1
        if position == len(value):
            return words
        word, quote = bytearray(), ""
        while position < len(value) and (quote or value[position] not in " \t"):
            letter = value[position]
            position += 1
            if letter == "\\":
                kind = value[position]
                if kind == "x":
                    word.append(int(value[position + 1:position + 3], 16))
                    position += 3
                else:
                    word += {"n": b"\n", "t": b"\t"}.get(kind, kind.encode())
                    position += 1
            elif letter in "'\"" and quote in ("", letter):
                quote = "" if quote else letter
            else:
                word += letter.encode()
        assert not quote, "a quote is not closed"
        text = bytes(word).decode()
        assert not re.search("%(?!%)", text.replace("%%", "")), f"a specifier in {text!r}"
        text = text.replace("%%", "%")
        if command_line:
            assert "$" not in text.replace("$$", ""), f"a variable in {text!r}"
            text = text.replace("$$", "$")
        words.append(text)


def unit_of(text):
    """A unit's settings: name to the list of its raw values."""
    settings = {}
    for line in text.split("\n"):
        if line and line[0] not in "#;[":
            name, _, value = line.partition("=")
            settings.setdefault(name, []).append(value)
    return settings


def units_of(text):
    """The services of a unit, or of the script that writes several."""
    if not text.startswith("#!"):
        return [unit_of(text)]
    bodies = re.findall(r"^cat >\"\$folder/fettle-\d+\.service\" <<'END'\n(.*?)^END\n", text, re.S | re.M)
    return [unit_of(body) for body in bodies]


def undollar(text):
    """A value behind the expansion of Kubernetes and of Compose, which must find nothing to expand."""
    assert "$" not in text.replace("$$", ""), f"a variable in {text!r}"
    return text.replace("$$", "$")
