# SPDX-License-Identifier: Apache-2.0
"""
Where a process under a fettle that waits for its end tells what came of the hook: a slot of memory that FETTLE_PLAN names
(src/observe/hook_file.h has the layout). It is mapped, so that telling is a copy of bytes: no descriptor stays that the program
could close and use anew, no right and no path is needed later on, and what was told last is there however the process ends.
"""
import ctypes
import os
import resource
import threading

FIELD, NAME, MAGIC = "told=", "/memfd:fettle-hook-%s (deleted)", b"fettleH1"
SIZE, SLOTS, HEAD = 65536, 128, 64
HALF = (SIZE - HEAD) // 2
LENGTH = 8
READ, WRITE, SHARED = 1, 2, 1  # of mmap(2)


def _place(plan):
    """(path, the name that must be found there) of the plan; None: it names none."""
    for field in plan.split(";"):
        if field.startswith(FIELD):
            pid, descriptor, cookie = field[len(FIELD):].split(":")
            return "/proc/%d/fd/%d" % (int(pid), int(descriptor)), NAME % cookie
    return None


def _map(descriptor, offset):
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
    address = libc.mmap(None, SIZE, READ | WRITE, SHARED, descriptor, offset)
    return None if address in (None, ctypes.c_void_p(-1).value) else address


def _claim(plan):
    """The address of a new slot; None: there is none to be had."""
    place = _place(plan)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if place is None or os.readlink(place[0]) != place[1] or 0 <= most < SLOTS * SIZE:
        return None
    descriptor = os.open(place[0], os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_size >= SLOTS * SIZE or os.write(descriptor, bytes(SIZE)) != SIZE:
            return None
        offset = os.lseek(descriptor, 0, os.SEEK_CUR) - SIZE  # appending is atomic: it is no other's
        address = None if offset % SIZE else _map(descriptor, offset)
    finally:
        os.close(descriptor)
    if address is not None:
        ctypes.memmove(address, MAGIC, len(MAGIC))
    return address


class Slot:
    """The slot of this process. A child that is forked takes one of its own when it has something to tell."""

    def __init__(self, plan):
        self._plan = plan
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self):
        self._address, self._tried, self._count, self._lock = None, False, 0, threading.Lock()

    def wanted(self):
        """Does somebody wait for what is told?"""
        if not self._tried:
            self._tried = True
            try:
                self._address = _claim(self._plan)
            except (OSError, ValueError):
                pass  # another user's fettle, no /proc, no room
        return self._address is not None

    def tell(self, text):
        """Put the text, bytes, in the place of what was told before. One that is too long is not told."""
        if len(text) > HALF - LENGTH or not self.wanted() or not self._lock.acquire(False):
            return
        try:
            half = self._address + HEAD + (self._count + 1) % 2 * HALF
            ctypes.memmove(half + LENGTH, text, len(text))
            ctypes.c_uint64.from_address(half).value = len(text)
            self._count += 1
            ctypes.c_uint64.from_address(self._address + len(MAGIC)).value = self._count
        finally:
            self._lock.release()
