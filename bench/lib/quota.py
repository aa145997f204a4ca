# SPDX-License-Identifier: Apache-2.0
"""A cgroup whose CPU quota is half the machine (cgroup v1, as root), and how often a run in it was throttled."""

import os


class Quota:
    """There for as long as the `with` lasts. OSError: it cannot be had."""

    PERIOD_US = 100000

    def __enter__(self):
        with open("/proc/mounts", encoding="utf-8") as mounts:
            mount = next((line.split()[1] for line in mounts
                          if line.split()[2] == "cgroup" and "cpu" in line.split()[3].split(",")), None)
        if mount is None:
            raise OSError("no cgroup v1 cpu controller is mounted")
        self.folder = os.path.join(mount, f"fettle-bench-{os.getpid()}")
        os.mkdir(self.folder)
        try:
            self.write("cpu.cfs_period_us", self.PERIOD_US)
            self.write("cpu.cfs_quota_us", self.PERIOD_US * len(os.sched_getaffinity(0)) // 2)
        except OSError:
            os.rmdir(self.folder)
            raise
        self.before = self.stat()
        return self

    def __exit__(self, *_):
        os.rmdir(self.folder)

    def write(self, name, value):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(f"{value}\n")

    def stat(self):
        with open(os.path.join(self.folder, "cpu.stat"), encoding="utf-8") as file:
            return {key: int(value) for key, value in (line.split() for line in file)}

    def within(self, argv):
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', os.path.join(self.folder, "cgroup.procs"), *argv]

    def throttled(self):
        """The share of periods since the last call, or the beginning, in which what runs here was throttled."""
        now, before = self.stat(), self.before
        self.before = now
        return (now["nr_throttled"] - before["nr_throttled"]) / max(1, now["nr_periods"] - before["nr_periods"])
