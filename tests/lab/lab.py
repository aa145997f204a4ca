#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab: for each finding a real program that is made to be wrong, found by its name and with the right evidence, and
a healthy twin in which it is not found.

lab.py FETTLE FOLDER [unittest arguments]    FOLDER holds lab_probe.c and lab_plugin.c
"""
import json
import os
import shutil
import subprocess
import threading
import time

import healthy
import lab_common as lab
from lab_common import AROUND, CPUS, Lab, build, environment, fettle_run, gnu, group, probe, running, threads, within


class Where(Lab):
    at_once = True

    def test_threads_that_give_themselves_all_cpus_have_escaped(self):
        self.need(2)
        with running(probe(), "escape", prefix=fettle_run("--cpus", str(CPUS[0]))) as pid:
            findings = self.assert_found("cpu-escaped", "2 of 3 threads", f"/proc/{pid}/task/", "Cpus_allowed_list",
                                         whom=[pid])
            self.assertEqual(set(findings) - AROUND, {"cpu-escaped", "threads-more"})
        with running(probe(), "burn", "any", prefix=fettle_run("--cpus", str(CPUS[0]))) as pid:
            self.assert_healthy(pid)

    def test_a_mask_that_is_widened_from_outside_is_seen(self):
        self.need(2)
        with running(probe(), "burn", "any", prefix=fettle_run("--cpus", str(CPUS[0]))) as pid:
            for tid in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(tid), CPUS)
            document = self.inspect(pid)
            self.assertIn("cpu-escaped", [finding["id"] for finding in document["findings"]])
            checks = {check["check"]: check for check in document["checks"]}
            self.assertEqual(checks["cpu-binding"]["verdict"], "differs")
            self.assertEqual(checks["cpu-binding"]["asked"], str(CPUS[0]))

    def test_a_main_thread_that_is_narrowed_while_it_runs_is_found(self):
        self.need(2)
        with running(probe(), "narrow", str(CPUS[0]), prefix=fettle_run()) as pid:
            findings = self.assert_found("setting-changed", "narrowed the CPUs of 1 thread",
                                         f"Cpus_allowed_list {CPUS[0]}", f"taskset -a -c -p {CPUS[0]}", whom=[pid], tries=5)
            self.assertNotIn("cpu-escaped", findings)
            self.assert_found("setting-changed", whom=[pid])
        with running(probe(), "touch", "1", prefix=fettle_run()) as pid:
            for _ in range(5):  # on a busy machine it may come before the look has begun
                os.sched_setaffinity(pid, CPUS)
                narrower = threading.Timer(0.5, os.sched_setaffinity, (pid, CPUS[1:2]))
                narrower.start()
                finding = self.found(pid).get("setting-changed")
                narrower.join()
                if finding and "a moment ago" in finding["evidence"][0]:
                    break
            self.assert_says(finding, f"a moment ago {CPUS[0]}")

    def test_cpus_that_are_taken_from_the_cpuset_meanwhile_are_missed(self):
        self.need(2)
        both = f"{CPUS[0]},{CPUS[1]}"
        with group("cpuset", {"cpuset.mems": "0", "cpuset.cpus": both}) as folder:
            with running(probe(), "burn", "any", prefix=(*within(folder), *fettle_run("--cpus", both))) as pid:
                self.assert_not_found("cpu-offline", pid)
                with open(f"{folder}/cpuset.cpus", "w") as file:
                    file.write(str(CPUS[0]))
                findings = self.assert_found("cpu-offline", f"{CPUS[1]} not in its cpuset any more", whom=[pid])
                self.assertNotIn("setting-changed", findings)

    def test_two_fettles_over_one_cpu_share_it(self):
        name = f"lab-{os.getpid()}"
        program = os.path.join(lab.WORK, name)
        shutil.copy(probe(), program)
        prefix = fettle_run("--cpus", str(CPUS[0]))
        with running(program, "burn", "any", prefix=prefix) as first, running(program, "burn", "any",
                                                                              prefix=prefix) as second:
            self.assert_found("cpu-shared", str(first), str(second), whom=[name])
        if len(CPUS) > 1:
            other = fettle_run("--cpus", str(CPUS[1]))
            with running(program, "burn", "any", prefix=prefix), running(program, "burn", "any", prefix=other):
                self.assert_not_found("cpu-shared", name)

    def test_two_threads_pinned_to_one_cpu_share_it(self):
        self.need(2)
        with running(probe(), "burn", str(CPUS[0]), str(CPUS[0])) as pid:
            self.assert_found("cpu-shared", f"CPU {CPUS[0]}", whom=[pid])
        with running(probe(), "burn", str(CPUS[0]), str(CPUS[1])) as pid:
            self.assert_not_found("cpu-shared", pid)

    def test_a_child_forked_after_binding_has_inherited_one_cpu(self):
        self.need(2)
        bound = {"OMP_PROC_BIND": "true", "OMP_PLACES": ",".join(f"{{{cpu}}}" for cpu in CPUS[:2]),
                 "OMP_NUM_THREADS": "2"}
        with running(gnu(), "fork", ready=lambda pid: threads(pid) > 1, **bound) as pid:
            self.assert_found("children-pinned", f"inherited CPU {CPUS[0]}", whom=[pid])
        # fettle's agent gives it back.
        with running(gnu(), "fork", prefix=fettle_run("--pin", "threads"), ready=lambda pid: threads(pid) > 1) as pid:
            self.assert_healthy(pid)


class HowMany(Lab):
    def test_more_threads_than_cpus_wait_for_each_other(self):
        with running(probe(), "burn", *["any"] * (2 * len(CPUS))) as pid:
            self.assert_found("oversubscribed", f"{2 * len(CPUS)} threads", "waited", whom=[pid])
        with running(probe(), "burn", *["any"] * len(CPUS)) as pid:
            self.assert_not_found("oversubscribed", pid)

    def test_a_program_that_ignores_its_plan_has_more_threads(self):
        self.need(2)
        # Four threads on two CPUs want four: the plan has one.
        with running(probe(), "burn", "any", "any", prefix=fettle_run("--threads", "1")) as pid:
            self.assert_found("threads-more", "2 threads compute", "where 1 were planned", whom=[pid])
        with running(probe(), "burn", "any", prefix=fettle_run("--threads", "1")) as pid:
            self.assert_not_found("threads-more", pid)

    def test_a_team_made_smaller_by_the_program_is_seen(self):
        self.need(2)
        # On two CPUs smaller is one thread alone: the low voice after five seconds.
        with running(gnu(), "team", "1", prefix=fettle_run("--threads", "2")) as pid:
            lab.let_compute(pid, 5)
            findings = self.found(pid)
            if "threads-fewer" not in findings and "neighbours-busy" in findings:
                self.skipTest("others are too busy to tell what it would do alone")
            self.assertEqual(findings["threads-fewer"]["severity"], "note")
        with running(gnu(), "team", "0", prefix=fettle_run("--threads", "2"), ready=lambda pid: threads(pid) > 1) as pid:
            self.assert_not_found("threads-fewer", pid)

    def test_a_team_of_some_that_the_program_made_smaller_is_seen(self):
        # The plan of a machine with four CPUs: on two, one thread is all that a smaller team has.
        plan = {"FETTLE_PLAN": "1;i=0/1;cpus=0-3;mask=0-3;pin=none;mem=none;set=OMP_NUM_THREADS", "OMP_NUM_THREADS": "4"}
        with running(gnu(), "team", "2", ready=lambda pid: threads(pid) > 1, **plan) as pid:
            self.assert_found("threads-fewer", "a team of 2 threads computes where 4 were planned", "OMP_NUM_THREADS=4",
                              "omp_set_num_threads", whom=[pid])
        with running(gnu(), "team", "0", ready=lambda pid: threads(pid) > 3, **plan) as pid:
            self.assert_not_found("threads-fewer", pid)

    def test_a_quota_throttles_and_has_fewer_cpus_than_threads(self):
        self.need(2)
        with group("cpu", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"}) as folder:
            with running(probe(), "burn", "any", "any", prefix=within(folder)) as pid:
                # Where neighbours leave us less than the quota there is nothing to throttle.
                findings = self.assert_found("quota-below-threads", "quota of 1.00 CPUs", "cpu.cfs_quota_us",
                                             whom=[pid])
                if "quota-throttled" in findings:
                    self.assertIn("nr_throttled", findings["quota-throttled"]["evidence"][0])
                else:
                    self.assertIn("neighbours-busy", findings)
            with running(probe(), "burn", "any", prefix=within(folder)) as pid:
                self.assert_not_found("quota-below-threads", pid)
        with group("cpu", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "190000"}) as folder:
            with running(probe(), "burn", "any", prefix=within(folder)) as pid:
                self.assert_not_found("quota-throttled", pid)


class Runtimes(Lab):
    at_once = True

    def plugin(self, name, *flags, compiler="gcc"):
        return build(name, "lab_plugin.c", "-shared", "-fPIC", "-fopenmp", *flags, compiler=compiler)

    def copy_with_soname(self, path, name, old, new):
        """The file, called otherwise, as wheels have them: names of equal length are put over each other."""
        with open(path, "rb") as file:
            data = file.read()
        copy = os.path.join(lab.WORK, name)
        with open(copy, "wb") as file:
            file.write(data.replace(old, new))
        return copy

    def libgomp(self):
        out = subprocess.run(("gcc", "-print-file-name=libgomp.so.1"), capture_output=True, text=True).stdout.strip()
        if not os.path.isabs(out):
            self.skipTest("no libgomp.so.1")
        return os.path.realpath(out)

    def test_two_runtimes_with_live_teams_are_found(self):
        first, second = self.plugin("gnu.so"), self.plugin("llvm.so", compiler="clang")
        with running(probe(), "open", first, second, ready=lambda pid: threads(pid) > 3) as pid:
            self.assert_found("openmp-two-runtimes", "libgomp.so", "libomp", whom=[pid])
        with running(probe(), "open", first, ready=lambda pid: threads(pid) > 2) as pid:
            self.assert_not_found("openmp-two-runtimes", pid)
        # The one that answers for both, preloaded: the other is mapped and runs nothing.
        needs = subprocess.run(("ldd", second), capture_output=True, text=True).stdout.splitlines()
        llvm = next(line.split("=>")[1].split()[0] for line in needs if "libomp" in line and "=>" in line)
        with running(probe(), "open", first, second, ready=lambda pid: threads(pid) > 3, LD_PRELOAD=llvm) as pid:
            self.assert_not_found("openmp-two-runtimes", pid)

    def test_two_copies_of_one_runtime_are_found(self):
        copy = self.copy_with_soname(self.libgomp(), "libgomp-b.so", b"libgomp.so.1\0", b"libgomp-b.so\0")
        first = self.plugin("gnu.so")
        second = self.copy_with_soname(self.plugin("gnu-b.so", f"-Wl,-rpath,{lab.WORK}"), "gnu-c.so", b"libgomp.so.1\0",
                                       b"libgomp-b.so\0")
        with running(probe(), "open", first, second, ready=lambda pid: threads(pid) > 3) as pid:
            self.assert_found("openmp-two-copies", copy, whom=[pid])
        with running(probe(), "open", first, ready=lambda pid: threads(pid) > 2) as pid:
            self.assert_not_found("openmp-two-copies", pid)

    def test_a_preloaded_runtime_behind_a_static_one_does_not_run_the_teams(self):
        static = build("probe-static-gomp", "lab_probe.c", "-fopenmp", "-rdynamic", "-Wl,-Bstatic", "-lgomp",
                       "-Wl,-Bdynamic")
        with running(static, "team", "0", LD_PRELOAD=self.libgomp(), OMP_NUM_THREADS="2") as pid:
            self.assert_found("openmp-not-in-charge", static, "GOMP_parallel", whom=[pid])
        with running(gnu(), "team", "0", LD_PRELOAD=self.libgomp(), OMP_NUM_THREADS="2") as pid:
            self.assert_not_found("openmp-not-in-charge", pid)

    def test_a_thread_limit_below_the_threads_is_found(self):
        with running(gnu(), "team", "0", OMP_NUM_THREADS="2", OMP_THREAD_LIMIT="1") as pid:
            self.assert_found("openmp-limit", "OMP_THREAD_LIMIT=1", whom=[pid])
        with running(gnu(), "team", "0", OMP_NUM_THREADS="2", OMP_THREAD_LIMIT="2") as pid:
            self.assert_not_found("openmp-limit", pid)

    def test_variables_of_a_runtime_that_is_not_there_are_found(self):
        with running(gnu(), "team", "0", OMP_NUM_THREADS="1", KMP_BLOCKTIME="1", MALLOC_CONF="x:1") as pid:
            findings = self.assert_found("setting-ineffective", "KMP_BLOCKTIME", "MALLOC_CONF", "libgomp", whom=[pid])
            self.assertIn("--unset KMP_BLOCKTIME", findings["setting-ineffective"]["remedy"])
        llvm = build("probe-llvm", "lab_probe.c", "-fopenmp", compiler="clang")
        with running(llvm, "team", "0", OMP_NUM_THREADS="1", KMP_BLOCKTIME="1") as pid:
            self.assert_not_found("setting-ineffective", pid)


class Instructions(Lab):
    at_once = True

    def test_a_variable_that_keeps_onednn_from_what_the_processor_has_is_found(self):
        with open("/proc/cpuinfo") as file:
            if " avx2 " not in file.read():
                self.skipTest("the processor has nothing that could be kept from it")
        library = build("onednn.so", "lab_plugin.c", "-shared", "-fPIC", "-Wl,--no-as-needed", "-ldnnl")
        with running(probe(), "open", library, ONEDNN_MAX_CPU_ISA="SSE41") as pid:
            self.assert_found("isa-limited", "oneDNN may not use AVX2", "ONEDNN_MAX_CPU_ISA=SSE41", "libdnnl",
                              "--unset ONEDNN_MAX_CPU_ISA", whom=[pid])
        with running(probe(), "open", library, ONEDNN_MAX_CPU_ISA="ALL") as pid:
            self.assert_not_found("isa-limited", pid)
        with running(probe(), "burn", "any", ONEDNN_MAX_CPU_ISA="SSE41") as pid:  # has no oneDNN
            self.assert_not_found("isa-limited", pid)


class Preloads(Lab):
    at_once = True

    def test_a_preload_that_is_not_there_is_missing(self):
        with running(probe(), "burn", "any", LD_PRELOAD="/nowhere/libjemalloc.so.2") as pid:
            self.assert_found("preload-missing", "/nowhere/libjemalloc.so.2", "there is no such file", whom=[pid])
        library = build("plain.so", "lab_plugin.c", "-shared", "-fPIC")
        with running(probe(), "burn", "any", LD_PRELOAD=library) as pid:
            self.assert_healthy(pid)

    def test_a_preload_of_another_architecture_is_unusable(self):
        foreign = build("foreign.so", "lab_plugin.c", "-shared", "-fPIC", compiler="aarch64-linux-gnu-gcc")
        with running(probe(), "burn", "any", LD_PRELOAD=foreign) as pid:
            self.assert_found("preload-unusable", foreign, "another architecture", whom=[pid])
        with running(probe(), "burn", "any", LD_PRELOAD=build("own.so", "lab_plugin.c", "-shared", "-fPIC")) as pid:
            self.assert_not_found("preload-unusable", pid)

    def test_a_static_program_takes_no_preload(self):
        static = build("probe-static", "lab_probe.c", "-static")
        library = build("plain.so", "lab_plugin.c", "-shared", "-fPIC")
        with running(static, "burn", "any", LD_PRELOAD=library) as pid:
            self.assert_found("preload-unusable", "statically", whom=[pid])
        with running(static, "burn", "any") as pid:
            self.assert_healthy(pid)

    def test_a_set_user_id_program_takes_no_preload(self):
        library = build("plain.so", "lab_plugin.c", "-shared", "-fPIC")
        program = os.path.join(lab.WORK, "probe-set-id")
        shutil.copy(probe(), program)
        os.chmod(program, 0o4755)
        if os.geteuid() or os.statvfs(lab.WORK).f_flag & os.ST_NOSUID:
            self.skipTest("needs root, and a folder where set-user-id counts")
        user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        with running(program, "burn", "any", prefix=user, LD_PRELOAD=library) as pid:
            self.assert_found("preload-unusable", library, "set-user-id", whom=[pid])
        with running(probe(), "burn", "any", prefix=user, LD_PRELOAD=library) as pid:
            self.assert_not_found("preload-unusable", pid)

    def test_a_program_with_a_malloc_of_its_own_does_not_use_the_preloaded_one(self):
        own = build("probe-own-malloc", "lab_probe.c", "-DOWN_MALLOC", "-rdynamic")
        allocator = next((line.split("=>")[-1].strip() for line in
                          subprocess.run(("/sbin/ldconfig", "-p"), capture_output=True, text=True).stdout.splitlines()
                          if "libtcmalloc_minimal.so" in line or "libjemalloc.so" in line), None)
        if not allocator:
            self.skipTest("no allocator to preload")
        with running(own, "burn", "any", LD_PRELOAD=allocator) as pid:
            self.assert_found("allocator-not-in-charge", own, "malloc", whom=[pid])
        with running(probe(), "burn", "any", LD_PRELOAD=allocator) as pid:
            self.assert_not_found("allocator-not-in-charge", pid)


class Memory(Lab):
    at_once = True

    def test_memory_near_its_limit_is_found(self):
        with group("memory", {"memory.limit_in_bytes": str(100 << 20)}) as folder:
            with running(probe(), "touch", "93", prefix=within(folder)) as pid:
                self.assert_found("memory-limit-near", "of 100 MiB", "memory.limit_in_bytes", whom=[pid])
            with running(probe(), "touch", "40", prefix=within(folder)) as pid:
                self.assert_not_found("memory-limit-near", pid)

    def test_memory_that_malloc_keeps_is_found(self):
        keep = "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296"
        with group("memory", {"memory.limit_in_bytes": str(100 << 20)}) as folder:
            with running(probe(), "hoard", "92", prefix=within(folder), GLIBC_TUNABLES=keep) as pid:
                self.assert_found("allocator-hoards", "92 MiB of the", "(limit: 100 MiB)", "trim_threshold=4294967296", whom=[pid])
            # In use, it is no hoard; nor what malloc gives back.
            with running(probe(), "touch", "92", prefix=within(folder), GLIBC_TUNABLES=keep) as pid:
                self.assertIn("memory-limit-near", self.found(pid))
                self.assert_not_found("allocator-hoards", pid)
            with running(probe(), "hoard", "92", prefix=within(folder)) as pid:
                self.assert_not_found("allocator-hoards", pid)

    def test_a_policy_that_the_kernel_refuses_is_found(self):
        gate = build("gate", "../live/gate.c")
        bind = fettle_run("--memory", "bind")
        with running(probe(), "burn", "any", prefix=(gate, "--refuse", "EPERM:set_mempolicy,mbind", "--", *bind)) as pid:
            document = self.inspect(pid)
            findings = {finding["id"]: finding for finding in document["findings"]}
            self.assert_says(findings["memory-policy-refused"], "bind:0", "numa_maps", "'default'", "SYS_NICE")
            [check] = [check for check in document["checks"] if check["check"] == "memory"]
            self.assertEqual((check["asked"], check["granted"], check["verdict"]), ("bind:0", "none", "differs"))
        with running(probe(), "burn", "any", prefix=bind) as pid:
            self.assert_not_found("memory-policy-refused", pid)

    def test_huge_pages_that_were_asked_for_and_did_not_come_are_found(self):
        with open("/sys/kernel/mm/transparent_hugepage/enabled") as file:
            always = "[always]" in file.read()
        if always:
            self.skipTest("the kernel gives huge pages to everybody")
        # The variable of PyTorch's allocator, in a program that has none.
        with running(probe(), "touch", "100", THP_MEM_ALLOC_ENABLE="1") as pid:
            self.assert_found("huge-pages-unused", "THP_MEM_ALLOC_ENABLE", "AnonHugePages 0", whom=[pid])
        with running(probe(), "touch", "100") as pid:
            self.assert_not_found("huge-pages-unused", pid)


class Around(Lab):
    def test_a_neighbour_on_our_cpu_is_found_by_name(self):
        cpu = str(CPUS[0])
        name = f"nb{os.getpid()}"
        program = os.path.join(lab.WORK, name)
        shutil.copy(probe(), program)
        with running(probe(), "burn", "any", prefix=fettle_run("--cpus", cpu)) as pid:
            with running(program, "burn", cpu):
                findings = self.assert_found("neighbours-busy", "others used", "waited", whom=[pid])
                if not any(name in line for line in findings["neighbours-busy"]["evidence"]):
                    self.assertEqual(len(findings["neighbours-busy"]["evidence"]), 4, "three busier ones")


    def test_a_neighbour_on_another_cpu_is_none(self):
        self.need(2)
        with running(probe(), "burn", "any", prefix=fettle_run("--cpus", str(CPUS[0]))) as pid:
            with running(probe(), "burn", str(CPUS[1])):
                found, _ = healthy.look(pid, cpu=CPUS[0])
                self.assertNotIn("neighbours-busy", found)


class Elsewhere(Lab):
    """/proc and /sys as they are on machines that are not here, bound over ours in a namespace."""
    at_once = True
    own = ("unshare", "-m", "sh", "-c")

    def setUp(self):
        if os.geteuid() or subprocess.run((*self.own, "mount --bind /proc/version /proc/version"),
                                          capture_output=True).returncode:
            self.skipTest("mount namespaces need root here")

    def cpus(self, files):
        folder = os.path.join(lab.WORK, f"cpu-{self.id().rsplit('.', 1)[-1]}")
        subprocess.run(("cp", "-r", "--no-preserve=all", "/sys/devices/system/cpu", folder), capture_output=True)
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "w") as file:
                file.write(text)
        return (*self.own, f'mount --bind {folder} /sys/devices/system/cpu && exec "$@"', "sh")

    def test_a_clock_that_is_held_down_is_found(self):
        def clock(cap):
            return self.cpus({f"cpu{cpu}/cpufreq/{name}": text for cpu in CPUS for name, text in (
                ("scaling_max_freq", cap), ("cpuinfo_max_freq", "3400000"), ("scaling_cur_freq", "1200000"),
                ("scaling_governor", "performance"), ("scaling_driver", "acpi-cpufreq"))})
        with running(probe(), "burn", "any", prefix=fettle_run()) as pid:
            self.assert_found("frequency-low", "held to 1200 of 3400 MHz", "scaling_max_freq", whom=[pid],
                              prefix=clock("1200000"))
            self.assert_not_found("frequency-low", pid, prefix=clock("3400000"))

    def test_threads_on_efficiency_cores_are_found(self):
        self.need(2)
        small = self.cpus({f"cpu{cpu}/cpufreq/{name}": "2000000" if cpu == CPUS[1] else "5000000" for cpu in CPUS
                           for name in ("cpuinfo_max_freq", "scaling_max_freq", "base_frequency")})
        with running(probe(), "burn", str(CPUS[1])) as pid:
            self.assert_found("efficiency-core", f"Cpus_allowed_list {CPUS[1]}", whom=[pid], prefix=small)
        with running(probe(), "burn", str(CPUS[0])) as pid:
            self.assert_not_found("efficiency-core", pid, prefix=small)

    def test_time_that_the_hypervisor_took_is_found(self):
        path = os.path.join(lab.WORK, "stat")
        stop = threading.Event()
        share = [0.2]

        def write():
            ticks = 1000
            with open(path, "r+") as file:
                while not stop.wait(0.05):
                    ticks += 5
                    file.seek(0)
                    file.write("cpu  0 0 0 0 0 0 0 0 0 0\n")
                    for cpu in CPUS:
                        file.write(f"cpu{cpu} {ticks:010d} 0 0 5000 0 0 0 {int(ticks * share[0]):010d} 0 0\n")
                    file.flush()
        with open(path, "w"):
            pass
        writer = threading.Thread(target=write)
        writer.start()
        try:
            time.sleep(0.2)
            prefix = (*self.own, f'mount --bind {path} /proc/stat && exec "$@"', "sh")
            with running(probe(), "burn", "any", prefix=fettle_run()) as pid:
                self.assert_found("cpu-stolen", "/proc/stat: steal took", whom=[pid], prefix=prefix)
                share[0] = 0
                time.sleep(0.2)
                self.assert_not_found("cpu-stolen", pid, prefix=prefix)
        finally:
            stop.set()
            writer.join()

    def test_a_planned_cpu_that_went_offline_is_found(self):
        self.need(2)
        gone = self.cpus({"online": f"{CPUS[0]}\n"})
        with running(probe(), "burn", "any", prefix=fettle_run("--cpus", f"{CPUS[0]},{CPUS[1]}")) as pid:
            self.assert_found("cpu-offline", str(CPUS[1]), whom=[pid], prefix=gone)
            self.assert_not_found("cpu-offline", pid)

    def test_another_users_process_is_seen_in_part_and_the_rest_has_a_reason(self):
        # An unprivileged user may not read this build's folder: a copy, where anybody may.
        with running(probe(), "burn", "any") as pid:
            done = subprocess.run(("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c",
                                   'test -x "$1" && exec "$@"', "sh", lab.FETTLE, "inspect", "--json", str(pid)),
                                  capture_output=True, text=True, env=environment(), cwd="/")
            if done.returncode and not done.stdout:
                self.skipTest(done.stderr.strip() or "fettle cannot be run by another user here")
            document = json.loads(done.stdout)
            unknown = {gap["path"]: gap["why"] for gap in document["unknown"]}
            self.assertEqual(unknown[f"/proc/{pid}/environ"], "Permission denied")
            self.assertIn(f"/proc/{pid}/maps", unknown)
            self.assertFalse(document["plan"]["known"])
            self.assertTrue(document["processes"][0]["threads"][1]["computes"])

    def test_a_containers_process_is_seen_from_outside(self):
        jail = os.path.join(lab.WORK, "jail")
        os.makedirs(jail, exist_ok=True)
        needs = [word for line in subprocess.run(("ldd", probe()), capture_output=True, text=True).stdout.splitlines()
                 for word in line.split() if word.startswith("/")]
        for path in [*needs, probe()]:
            os.makedirs(jail + os.path.dirname(path), exist_ok=True)
            shutil.copy(path, jail + path)
        script = f'mount --rbind {jail} {jail} && cd {jail} && mkdir -p old && pivot_root . old && exec "$@"'
        with running(probe(), "burn", "any", prefix=("unshare", "-m", "sh", "-c", script, "sh")) as pid:
            [process] = self.inspect(pid)["processes"]
            self.assertIn("libc", os.path.basename(process["malloc"]))


if __name__ == "__main__":
    lab.main()
