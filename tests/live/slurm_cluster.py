# SPDX-License-Identifier: Apache-2.0
"""A Slurm cluster of this machine alone, for as long as a `with` lasts: munged, slurmctld and slurmd of Debian's
packages slurm-wlm and munge, with their files in a folder of its own and ports that are free now. No systemd, no cgroups.

    with Cluster(os.environ) as cluster:
        subprocess.run(["srun", "-n", "2", "hostname"], env=cluster.environment)

It holds one job of two tasks, in which srun starts at once; what sbatch starts runs beside it.
"""
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time

DAEMONS = ("munged", "slurmctld", "slurmd")
SBIN = "/usr/sbin:/sbin:"
COMES_UP_S, ENDS_S = 30, 10

# Jobs may share CPUs.
CONFIGURATION = """ClusterName=fettle
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
{node} NodeAddr=127.0.0.1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""


class NoCluster(Exception):
    """There is none to be had here, and why."""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Cluster:
    def __init__(self, environment):
        self.path = SBIN + os.environ["PATH"]
        missing = [name for name in (*DAEMONS, "srun") if not shutil.which(name, path=self.path)]
        if missing:
            raise NoCluster(f"no {', '.join(missing)} (Debian's packages slurm-wlm and munge)")
        if len(os.sched_getaffinity(0)) != os.cpu_count():
            raise NoCluster("not all CPUs may be used here, and Slurm would bind tasks to any")
        self.processes, self.folder = [], None
        self.environment = {name: value for name, value in environment.items()
                            if not name.startswith(("SLURM", "SRUN_"))} | {"PATH": self.path}

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="fettle-slurm-")
        os.chmod(self.folder, 0o755)
        try:
            self.configure()
            self.environment["SLURM_CONF"] = f"{self.folder}/slurm.conf"
            munge = f"{self.folder}/munge"
            self.begin("munged", "--foreground", f"--key-file={munge}/key", f"--socket={munge}/socket", "--force",
                       f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed")
            self.begin("slurmctld", "-D")
            self.begin("slurmd", "-D")
            self.wait_until_idle()
            self.hold()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.wait_for_steps()
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def configure(self):
        for name in ("state", "spool", "munge"):
            os.mkdir(f"{self.folder}/{name}", 0o755)
        with open(os.open(f"{self.folder}/munge/key", os.O_WRONLY | os.O_CREAT, 0o400), "wb") as key:
            key.write(os.urandom(128))
        seen = subprocess.run(["slurmd", "-C"], env=self.environment, capture_output=True, text=True)
        node = seen.stdout.partition("\n")[0]
        if not node.startswith("NodeName="):
            raise NoCluster("slurmd -C does not describe this machine: " + seen.stderr.strip())
        with open(f"{self.folder}/slurm.conf", "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(folder=self.folder, node=node, controller=free_port(), daemon=free_port(),
                                            host=node.split()[0].partition("=")[2], user=pwd.getpwuid(os.getuid()).pw_name))

    def begin(self, name, *words):
        with open(f"{self.folder}/{name}.out", "wb") as out:
            self.processes.append(subprocess.Popen([name, *words], env=self.environment, stdin=subprocess.DEVNULL,
                                                   stdout=out, stderr=out))

    def wait_until_idle(self):
        end = time.monotonic() + COMES_UP_S
        while True:
            state = subprocess.run(["sinfo", "-h", "-o", "%T"], env=self.environment, capture_output=True, text=True)
            if state.stdout.strip() == "idle":
                return
            ended = [process.args[0] for process in self.processes if process.poll() is not None]
            if ended or time.monotonic() > end:
                raise NoCluster(f"it does not come up ({', '.join(ended) or 'slow'}): {self.last_words()}")
            time.sleep(0.2)

    def hold(self):
        said = subprocess.run(["salloc", "--no-shell", "-n", "2"], env=self.environment, capture_output=True, text=True)
        job = re.search(r"Granted job allocation (\d+)", said.stderr)
        if not job:
            raise NoCluster("salloc gives nothing: " + said.stderr.strip())
        self.environment["SLURM_JOB_ID"] = job[1]

    def wait_for_steps(self):
        """The daemon of a step outlives a slurmd that it cannot report to. Each has a socket."""
        end = time.monotonic() + ENDS_S
        spool = pathlib.Path(self.folder, "spool")
        while spool.exists() and any(path.is_socket() for path in spool.iterdir()) and time.monotonic() < end:
            time.sleep(0.1)

    def last_words(self):
        """What the daemons complained of last."""
        words = []
        for name in ("munge/log", "slurmctld.log", "slurmd.log", *(f"{name}.out" for name in DAEMONS)):
            if os.path.exists(f"{self.folder}/{name}"):
                with open(f"{self.folder}/{name}", encoding="utf-8", errors="replace") as file:
                    words += [line.strip() for line in file if "error" in line.lower()][-1:]
        return "; ".join(words)
