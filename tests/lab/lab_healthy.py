#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab, of programs with which nothing is wrong: five runs of each without a false alarm (tools/soak does more).

lab_healthy.py FETTLE FOLDER [Quick|Heavy]
"""
import concurrent.futures

import healthy
import lab_common as lab
from lab_common import CPUS, Lab

# Five runs: looked at under fettle, without, and as a report of a whole run tells it.
RUNS = (healthy.alarms, healthy.alarms, lambda program: healthy.alarms(program, prefix=()), healthy.report_alarms,
        healthy.report_alarms)


class Quick(Lab):
    programs = healthy.QUICK

    def test_no_false_alarm_in_five_runs_of_each(self):
        """Several at once: they are each other's neighbours, which is true and not counted."""
        with concurrent.futures.ThreadPoolExecutor(len(CPUS) + 1) as pool:
            runs = {program: [pool.submit(run, program) for run in RUNS] for program in self.programs
                    if not program.missing()}
            for program in self.programs:
                with self.subTest(program.name):
                    if program not in runs:
                        self.skipTest(program.missing())
                    self.assertEqual([said for run in runs[program] for said in run.result()], [])


class Heavy(Quick):
    """Real numpy, PyTorch and ONNX Runtime, where they are."""
    programs = healthy.HEAVY


if __name__ == "__main__":
    lab.main()
