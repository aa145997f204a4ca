#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What fettle says of this machine, held against lscpu, lstopo, numactl, /proc; then in namespaces where /sys and
/proc are missing, masked, read-only or prepared: no crash, and what is gone is unknown with its reason.

truth.py FETTLE [unittest arguments]
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

FETTLE = None
COUNTERS = {"steal", "steal_now", "load_now", "pressure_cpu", "pressure_memory", "pressure_io", "swap_used",
            "frequency_now_mhz", "evidence"}


def output(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, check=True,
                          env=os.environ | {"LC_ALL": "C"}, **more).stdout


def numbers(text):
    found = set()
    for part in text.split(","):
        if part.strip():
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    return found


def sets(lists):
    return sorted(sorted(numbers(text)) for text in lists)


def machine(*prefix):
    return json.loads(output(*prefix, FETTLE, "machine", "--json"))


def steady(look, tries=8):
    """What `look` gives when the node's memory is the same before and after: virtual machines grow and shrink."""
    for _ in range(tries):
        before, here, after = look(), machine(), look()
        if before == after:
            return before, here
        time.sleep(0.2)
    raise unittest.SkipTest("the machine's memory does not hold still")


class Tools(unittest.TestCase):
    def need(self, tool):
        if not shutil.which(tool):
            self.skipTest(f"no {tool}")

    def test_lscpu_sees_the_same_cores_packages_and_nodes(self):
        self.need("lscpu")
        rows = json.loads(output("lscpu", "-J", "-e=CPU,CORE,SOCKET,NODE,ONLINE"))["cpus"]
        rows = [row for row in rows if row["online"] in (True, "yes")]
        here = machine()
        self.assertEqual(here["pus"], len(rows))

        def groups(*keys):
            found = {}
            for row in rows:
                if all(row.get(key) not in (None, "-") for key in keys):
                    found.setdefault(tuple(row[key] for key in keys), []).append(int(row["cpu"]))
            return sorted(sorted(group) for group in found.values())

        self.assertEqual(sets(here["cores_os"]), groups("socket", "core"))
        self.assertEqual(sets(here["packages_os"]), groups("socket"))
        self.assertEqual(sets(node["pus_os"] for node in here["nodes"] if node["pus_os"]), groups("node"))

    def test_lscpu_names_the_same_processor(self):
        self.need("lscpu")

        def flat(items):
            for item in items:
                yield item["field"].rstrip(":"), item["data"]
                yield from flat(item.get("children", []))

        fields = dict(flat(json.loads(output("lscpu", "-J"))["lscpu"]))
        here = machine()
        self.assertEqual(here["architecture"], fields["Architecture"])
        if fields.get("Model name", "-") != "-":
            self.assertEqual(here["model"], fields["Model name"].strip())
        if "Thread(s) per core" in fields:
            self.assertEqual(here["threads_per_core"], int(fields["Thread(s) per core"]))
        self.assertEqual(set(here["host"]["isa"] or []) - set(fields.get("Flags", "").split()), set())

    def test_lstopo_has_the_same_tree(self):
        self.need("lstopo-no-graphics")
        options = ("--of", "xml", "--no-io", "--disallowed")
        topology = xml.etree.ElementTree.fromstring(output("lstopo-no-graphics", *options))
        here = machine()

        def objects(kind):
            return [item for item in topology.iter("object") if item.get("type") == kind]

        def cpus(item):
            words = [int(word or "0", 16) for word in item.get("cpuset").split(",")]
            bits = 0
            for word in words:
                bits = bits << 32 | word
            return [bit for bit in range(bits.bit_length()) if bits >> bit & 1]

        self.assertEqual(sets(here["cores_os"]), sorted(cpus(item) for item in objects("Core")))
        self.assertEqual(sets(here["packages_os"]), sorted(cpus(item) for item in objects("Package")))
        self.assertEqual([node["node_os"] for node in here["nodes"]],
                         sorted(int(item.get("os_index")) for item in objects("NUMANode")))
        for level in (1, 2, 3):
            ours = sorted((sorted(numbers(cache["pus_os"])), cache["size_bytes"])
                          for cache in here["caches"] if cache["level"] == level)
            theirs = sorted((cpus(item), int(item.get("cache_size"))) for item in objects(f"L{level}Cache"))
            self.assertEqual(ours, theirs)

    def test_numactl_has_the_same_nodes_sizes_and_distances(self):
        self.need("numactl")

        def look():
            lines = output("numactl", "-H").splitlines()
            if not lines[0].startswith("available"):
                self.skipTest(lines[0])
            return [line for line in lines if " free:" not in line]

        lines, here = steady(look)
        for node in here["nodes"]:
            name = f"node {node['node_os']} "
            cpus = next(line for line in lines if line.startswith(name + "cpus:"))
            size = next(line for line in lines if line.startswith(name + "size:"))
            self.assertEqual(sorted(numbers(node["pus_os"])), [int(word) for word in cpus.split(":")[1].split()])
            self.assertEqual(node["memory_bytes"] >> 20, int(size.split(":")[1].split()[0]))
        rows = [line.split(":")[1].split() for line in lines[lines.index("node distances:") + 2:]]
        self.assertEqual([node["distances"] for node in here["nodes"]], [[int(d) for d in row] for row in rows])


class Kernel(unittest.TestCase):
    @staticmethod
    def status(*prefix):
        text = output(*prefix, "cat", "/proc/self/status")
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)

    def test_allowed_cpus_and_nodes_are_those_of_the_status_file(self):
        cpus = sorted(os.sched_getaffinity(0))
        for prefix in ((), ("taskset", "-c", str(cpus[-1]))):
            if prefix and not shutil.which(prefix[0]):
                continue
            status, allowed = self.status(*prefix), machine(*prefix)["allowed"]
            self.assertEqual(numbers(allowed["pus_os"]), numbers(status["Cpus_allowed_list"]))
            self.assertEqual(numbers(allowed["nodes_os"]), numbers(status["Mems_allowed_list"]))

    def test_host_facts_are_what_the_kernel_writes(self):
        here = machine()["host"]
        self.assertEqual(here["kernel"], os.uname().release)
        for key, path in (("numa_balancing", "kernel/numa_balancing"), ("swappiness", "vm/swappiness"),
                          ("zone_reclaim", "vm/zone_reclaim_mode"), ("overcommit", "vm/overcommit_memory"),
                          ("perf_event_paranoid", "kernel/perf_event_paranoid")):
            try:
                with open("/proc/sys/" + path) as file:
                    self.assertEqual(here[key], int(file.read()))
            except FileNotFoundError:
                self.assertIsNone(here[key])
        with open("/proc/swaps") as file:
            kib = sum(int(line.split()[2]) for line in file.readlines()[1:])
        self.assertAlmostEqual(here["swap"], kib * 1024, delta=4096)

    def test_limits_are_ulimits(self):
        soft, hard = output("sh", "-c", "ulimit -Sn; ulimit -Hn").split()
        files = machine()["may"]["limits"]["open_files"]
        self.assertEqual([files["soft"], files["hard"]],
                         [None if word == "unlimited" else int(word) for word in (soft, hard)])


class Namespaces(unittest.TestCase):
    """Each in namespaces of its own, so that nothing of it outlives the command."""

    @classmethod
    def setUpClass(cls):
        cls.own = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-rm")
        if not shutil.which("unshare") or subprocess.run((*cls.own, "true"), capture_output=True).returncode:
            raise unittest.SkipTest("mount namespaces are refused")

    def inside(self, script, *flags):
        """The documents of machine and doctor, there after `script`; neither may crash or complain."""
        prefix = (*self.own, *flags, "sh", "-c", script + '\nexec "$@"', "sh")
        # A sanitizer's build cannot start without /proc, whatever it is the build of.
        if subprocess.run((*prefix, FETTLE, "version"), capture_output=True).returncode:
            self.skipTest("this build does not start there")
        documents = []
        for command in "machine", "doctor":
            done = subprocess.run((*prefix, FETTLE, command, "--json"), capture_output=True, text=True, timeout=60)
            if done.returncode == 32 or "mount:" in done.stderr:
                self.skipTest(done.stderr.strip())
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            documents.append(json.loads(done.stdout))
            text = subprocess.run((*prefix, FETTLE, command), capture_output=True, text=True, timeout=60)
            self.assertEqual((text.returncode, text.stderr), (0, ""))
        return documents

    def assert_unknown(self, here, *facts):
        why = {item["fact"]: item.get("why") for item in here["host"]["evidence"]}
        for fact in facts:
            self.assertIsNone(here["host"][fact], fact)
            self.assertIn(fact, here["unknown"])
            self.assertTrue(why[fact], fact)

    def test_no_sys_at_all(self):
        here, doctor = self.inside("mount -t tmpfs none /sys")
        self.assert_unknown(here, "governor", "huge_pages", "boost", "isolated", "hugetlb_bytes")
        self.assertEqual(numbers(here["allowed"]["pus_os"]), os.sched_getaffinity(0))
        verdicts = {rule["id"]: rule["verdict"] for rule in doctor["rules"]}
        self.assertEqual(verdicts["huge-pages"], "unknown")

    def test_no_proc_at_all(self):
        here, _ = self.inside("mount -t tmpfs none /proc")
        self.assert_unknown(here, "kernel", "isa", "numa_balancing", "swap", "steal", "pressure_cpu", "load_now")
        self.assertIsNone(here["allowed"]["nodes_os"])
        self.assertIsNone(here["allowed"]["cpu_quota"])

    def test_neither_sys_nor_proc(self):
        here, _ = self.inside("mount -t tmpfs none /sys; mount -t tmpfs none /proc")
        self.assert_unknown(here, "kernel", "governor", "swap")
        self.assertEqual(numbers(here["allowed"]["pus_os"]), os.sched_getaffinity(0))

    def test_a_folder_of_nodes_without_nodes(self):
        if not os.path.isdir("/sys/devices/system/node"):
            self.skipTest("a kernel without NUMA")
        here, _ = self.inside("mount -t tmpfs none /sys/devices/system/node")
        self.assertEqual(numbers(here["allowed"]["pus_os"]), os.sched_getaffinity(0))

    def test_masked_files(self):
        masked = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/kernel/numa_balancing",
                  "/sys/kernel/mm/transparent_hugepage/enabled")
        here, _ = self.inside("; ".join(f"test ! -e {path} || mount --bind /dev/null {path}" for path in masked))
        self.assert_unknown(here, "isa", "swap", "steal", "steal_now", "load_now")
        self.assertIsNone(here["host"]["huge_pages"])
        self.assertIsNone(here["host"]["numa_balancing"])

    def test_a_masked_folder(self):
        here, doctor = self.inside("mount -t tmpfs none /sys/kernel/mm; mount -t tmpfs none /proc/sys/vm")
        self.assert_unknown(here, "huge_pages", "huge_pages_defrag", "hugetlb_bytes", "swappiness", "overcommit")
        verdicts = {rule["id"]: rule["verdict"] for rule in doctor["rules"]}
        for rule in "huge-pages", "huge-pages-defrag", "zone-reclaim", "overcommit":
            self.assertEqual(verdicts[rule], "unknown", rule)

    def test_a_file_that_may_not_be_read(self):
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("needs root to give it up")
        with tempfile.NamedTemporaryFile() as closed:
            os.chmod(closed.name, 0)
            script = f"mount --bind {closed.name} /proc/sys/vm/swappiness"
            drop = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
            done = subprocess.run((*self.own, "sh", "-c", script + '\nexec "$@"', "sh", *drop, FETTLE, "machine",
                                   "--json"), capture_output=True, text=True)
        if done.returncode in (126, 127) or done.returncode == 1 and "execute" in done.stderr:
            self.skipTest("nobody may not run the build")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        here = json.loads(done.stdout)
        self.assert_unknown(here, "swappiness")
        self.assertIn("Permission denied", [item.get("why") for item in here["host"]["evidence"]])

    def test_read_only_files_change_nothing(self):
        here, _ = self.inside("mount -o remount,ro,bind /sys; mount -o remount,ro,bind /proc")
        there = machine()
        for document in here, there:
            document["host"] = {key: value for key, value in document["host"].items() if key not in COUNTERS}
            document["nodes"] = [node | {"memory_bytes": 0} for node in document["nodes"]]
            document["may"] = None
        self.assertEqual(here, there)

    def test_other_namespaces(self):
        for flags in ("-p", "-f", "--mount-proc"), ("-C",), ("-U", "-r"), ("-p", "-f", "-C", "-i", "-u"):
            if subprocess.run((*self.own, *flags, "true"), capture_output=True).returncode:
                continue
            with self.subTest(flags=flags):
                here, _ = self.inside(":", *flags)
                self.assertEqual(numbers(here["allowed"]["pus_os"]), os.sched_getaffinity(0))
                self.assertIs(here["may"]["bind_cpu"], True)

    def prepared_cpus(self, folder, frequencies, governor="powersave"):
        """A copy of what hwloc reads of /sys/devices/system/cpu, with a cpufreq that this machine has not got."""
        source = "/sys/devices/system/cpu"
        wanted = ["online", "possible", "present", "offline", "isolated", "kernel_max"]
        for cpu, _ in frequencies:
            top = f"{source}/cpu{cpu}"
            for name in "topology", "cache":
                for path, _, files in os.walk(f"{top}/{name}"):
                    wanted += [os.path.relpath(f"{path}/{file}", source) for file in files if file != "uevent"]
        for name in wanted:
            target = f"{folder}/{name}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            try:
                with open(f"{source}/{name}", "rb") as origin, open(target, "wb") as copy:
                    copy.write(origin.read())
            except OSError:
                pass
        for cpu, mhz in frequencies:
            os.makedirs(f"{folder}/cpu{cpu}/cpufreq")
            for name, text in (("cpuinfo_max_freq", mhz * 1000), ("cpuinfo_min_freq", 800000),
                               ("scaling_max_freq", mhz * 500), ("scaling_cur_freq", 900000),
                               ("scaling_governor", governor), ("scaling_driver", "acpi-cpufreq")):
                with open(f"{folder}/cpu{cpu}/cpufreq/{name}", "w") as file:
                    file.write(f"{text}\n")
        os.makedirs(f"{folder}/cpufreq")
        with open(f"{folder}/cpufreq/boost", "w") as file:
            file.write("0\n")

    def with_frequencies(self, *mhz, script=":"):
        cpus = sorted(os.sched_getaffinity(0))
        frequencies = [(cpu, mhz[i * len(mhz) // len(cpus)]) for i, cpu in enumerate(cpus)]
        with tempfile.TemporaryDirectory() as folder:
            self.prepared_cpus(folder, frequencies)
            return self.inside(f"mount --bind {folder} /sys/devices/system/cpu\n{script}")

    def test_a_host_that_holds_the_clock_down(self):
        here, doctor = self.with_frequencies(3600)
        host = here["host"]
        self.assertEqual((host["governor"], host["frequency_max_mhz"], host["frequency_limit_mhz"], host["boost"]),
                         ("powersave", 3600, 1800, False))
        verdicts = {rule["id"]: rule for rule in doctor["rules"]}
        for rule in "cpu-governor", "clock-limit", "boost":
            self.assertEqual(verdicts[rule]["verdict"], "costs")
        self.assertIn("800 of 3600 MHz", verdicts["cpu-governor"]["cost"])

    def test_a_favoured_core_is_no_kind_of_its_own_and_a_small_one_is(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("one CPU")
        here, _ = self.with_frequencies(5400, 5800)
        self.assertEqual(len(here["core_kinds"]), 1)
        self.assertNotIn("core_kinds", here["unknown"])
        here, _ = self.with_frequencies(3900, 5100)
        self.assertEqual([kind["small"] for kind in here["core_kinds"]], [True, False])

    def test_a_machine_that_tells_nothing_of_kinds_has_one_and_says_so(self):
        here = machine()
        told = any(kind["max_mhz"] for kind in here["core_kinds"]) or len(here["core_kinds"]) > 1
        if told or here["architecture"] != "x86_64":
            self.skipTest("this machine tells")
        self.assertIn("core_kinds", here["unknown"])
        self.assertIn("core kinds not told", " ".join(output(FETTLE, "machine").split()))

    def test_time_the_hypervisor_took(self):
        cpus = sorted(os.sched_getaffinity(0))
        with tempfile.NamedTemporaryFile("w") as stat:
            stat.write("cpu 0\n" + "".join(f"cpu{cpu} 700 0 100 150 0 0 0 50 0 0\n" for cpu in cpus))
            stat.flush()
            here, doctor = self.inside(f"mount --bind {stat.name} /proc/stat")
        self.assertEqual(here["host"]["steal"], 5.0)
        rule = next(rule for rule in doctor["rules"] if rule["id"] == "steal")
        self.assertEqual((rule["verdict"], rule["evidence"][0].split(": ")[0]), ("costs", "/proc/stat"))


if __name__ == "__main__":
    FETTLE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
