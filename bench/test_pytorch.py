# SPDX-License-Identifier: Apache-2.0
"""python3 -m unittest discover -s bench"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import re
import tempfile
import types
import unittest
import xml.etree.ElementTree

from lib import command, picture, runner, ways

HERE = os.path.dirname(os.path.abspath(__file__))


def load(name):
    """A benchmark's command as a module."""
    loader = importlib.machinery.SourceFileLoader(f"bench_{name}", os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


pytorch = load("pytorch")


def write(root, path, text):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), "w", encoding="ascii") as file:
        file.write(text + "\n")


def machine(root, nodes, siblings):
    for node, cpus in nodes.items():
        write(root, f"node/node{node}/cpulist", cpus)
    for cpu, both in siblings.items():
        write(root, f"cpu/cpu{cpu}/topology/thread_siblings_list", both)


class OneNode(unittest.TestCase):
    """The place that the guide gives a script."""

    def place(self, allowed, nodes, siblings):
        with tempfile.TemporaryDirectory() as root:
            machine(root, nodes, siblings)
            return ways.one_node(set(allowed), root)

    def test_one_thread_a_core_of_one_node(self):
        siblings = {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5", 2: "2,6", 3: "3,7", 6: "2,6", 7: "3,7"}
        self.assertEqual(self.place(range(8), {0: "0-1,4-5", 1: "2-3,6-7"}, siblings), ([0, 1], 0))
        self.assertEqual(self.place([2, 6, 7], {0: "0-1,4-5", 1: "2-3,6-7"}, siblings), ([2, 7], 1))

    def test_a_node_without_cpus_is_passed_over(self):
        self.assertEqual(self.place([0, 1], {0: "", 10: "0-1"}, {0: "0", 1: "1"}), ([0, 1], 10))

    def test_nodes_are_numbers(self):
        self.assertEqual(self.place([0, 1], {10: "1", 9: "0"}, {0: "0", 1: "1"}), ([0], 9))

    def test_a_kernel_that_tells_of_no_nodes_or_cores(self):
        self.assertEqual(self.place([0, 1], {}, {0: "0-1", 1: "0-1"}), ([0], None))
        self.assertEqual(self.place([0, 1], {}, {}), ([0, 1], None))


class Lines(unittest.TestCase):
    """What each way types."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.place = ways.Place("/fettle", "/python", self.folder.name, {})
        self.run_words = ["x.py", "--batch", "4"]

    def made(self, way):
        return way(self.place, self.run_words)

    def test_each_ends_with_the_script_as_it_is(self):
        for word in set(ways.WAYS) - {"profile"}:
            contestant = self.made(ways.WAYS[word])
            self.assertEqual(contestant.argv[-3:], self.run_words, word)
            self.assertIn("/python", contestant.argv, word)

    def test_the_first_time_finds_nothing_and_the_others_what_the_last_run_left(self):
        first, remembered = self.made(ways.first), self.made(ways.remembered)
        for contestant in first, remembered:
            os.makedirs(contestant.environment["XDG_CACHE_HOME"])
        first.before()
        self.assertFalse(os.path.exists(first.environment["XDG_CACHE_HOME"]))
        self.assertTrue(os.path.exists(remembered.environment["XDG_CACHE_HOME"]))
        self.assertIsNone(remembered.before)
        ways.forget(self.folder.name)
        self.assertFalse(os.path.exists(remembered.environment["XDG_CACHE_HOME"]))

    def test_the_guide_by_hand(self):
        contestant = self.made(ways.guide("guide", ["libc.so.6"], {"MALLOC_CONF": "a:b"}))
        numactl = contestant.argv.index("numactl")
        settings = dict(word.split("=", 1) for word in contestant.argv[1:numactl])
        cpus = contestant.argv[numactl + 2]
        self.assertEqual(settings["OMP_NUM_THREADS"], str(cpus.count(",") + 1))
        self.assertEqual(settings["GOMP_CPU_AFFINITY"], cpus)
        self.assertEqual(settings["MALLOC_CONF"], "a:b")
        self.assertTrue(os.path.isabs(settings["LD_PRELOAD"]) and settings["LD_PRELOAD"].endswith("/libc.so.6"))
        self.assertIsNone(contestant.obstacle)

    def test_a_library_that_is_not_there_is_said_and_not_preloaded(self):
        contestant = self.made(ways.guide("guide", ["libnowhere.so.1"], {}))
        self.assertEqual(runner.Sampler("/nowhere").admit([contestant]), ([], {"guide": "no libnowhere.so.1 is installed"}))

    def test_options_are_words(self):
        argv = self.made(ways.with_options("--fuse --set 'A=b c'")).argv
        self.assertEqual(argv, ["/fettle", "run", "-q", "--fuse", "--set", "A=b c", "--", "/python", *self.run_words])


class Results(unittest.TestCase):
    def samples(self, **steps):
        return {name: [{"step_ms": step, "checksum": 1.0} for step in each] for name, each in steps.items()}

    def test_every_model_has_its_script(self):
        scripts = {name for name in os.listdir(os.path.join(HERE, "..", "examples", "pytorch")) if name.endswith(".py")}
        self.assertEqual({model.script for model in pytorch.MODELS.values()}, scripts)

    def test_results_must_agree(self):
        check = pytorch.agree("bert", 1e-5, {"bare", "fettle"})
        samples = self.samples(bare=[1, 1], fettle=[1, 1], asked=[1, 1])
        samples["fettle"][1]["checksum"] = 1 + 1e-6
        samples["asked"][0]["checksum"] = 2.0
        check(samples)
        for name in "fettle", "bare":
            for wrong in 1 + 1e-4, float("nan"), float("inf"):
                with self.subTest(name=name, wrong=wrong), self.assertRaisesRegex(runner.Failed, f"bert.*: {name} by "):
                    check({**samples, name: samples["bare"][:1] + [{"checksum": wrong}]})
        self.assertEqual(pytorch.difference(samples, "asked"), 1)

    def test_what_proves_nothing_is_said_and_the_rest_is_measured(self):
        class Sampler:
            def admit(self, contestants):
                return contestants, {}

            def interleave(self, contestants, *_):
                return {each.name: [{"ms": 1.0}] for each in contestants}

        def wrong(_):
            raise runner.Failed("a is not b")

        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as out:
            bench = command.Bench.__new__(command.Bench)
            bench.options = types.SimpleNamespace(build=folder, rounds=2, seed=1, json=os.path.join(folder, "all.json"))
            bench.name, bench.sampler, bench.document, bench.wrong = "x", Sampler(), {"tables": []}, []
            for title, after in ("first", wrong), ("second", None):
                bench.measure(title, [runner.Contestant("a", ["a"])], [], after)
            with self.assertRaisesRegex(runner.Failed, "a is not b"):
                bench.finish()
            with open(bench.options.json, encoding="utf-8") as file:
                kept = json.load(file)
        self.assertIn("a is not b", out.getvalue())
        self.assertEqual([table.get("wrong") for table in kept["tables"]], ["a is not b", None])

    def test_the_mean_is_of_inference_models_in_which_one_took_part(self):
        tables = {"bert": self.samples(bare=[4, 4], fettle=[2, 2], other=[1, 1]), "training": self.samples(bare=[1], fettle=[9]),
                  "unet": self.samples(bare=[3, 3], fettle=[3, 3])}
        self.assertEqual(pytorch.means(tables), {"bare": [([4, 4], [4, 4]), ([3, 3], [3, 3])], "other": [([4, 4], [1, 1])],
                                                 "fettle": [([4, 4], [2, 2]), ([3, 3], [3, 3])]})

    def test_unknown_words_are_refused_and_the_order_is_the_tables(self):
        self.assertEqual(pytorch.chosen("b,a", {"a": 1, "b": 2, "c": 3}, "--x"), ["a", "b"])
        with self.assertRaisesRegex(runner.Failed, "--x: d: not among a, b"):
            pytorch.chosen("a,d", {"a": 1, "b": 2}, "--x")


class Picture(unittest.TestCase):
    def test_bars_are_as_long_as_what_they_show(self):
        groups = {"a & b": {"x": (2.0, 1.4, 99.0), "y": (0.5, 0.5, 0.5)}, "c": {"x": (1.0, 1.0, 1.0)}}
        svg = picture.bars("<title>", groups, ["x", "y"])
        root = xml.etree.ElementTree.fromstring(svg)
        widths = [float(one.get("width")) for one in root.iter("{http://www.w3.org/2000/svg}rect")
                  if one.get("height") == str(picture.BAR - 2)]
        self.assertEqual(widths, [picture.WIDTH, 0.25 * picture.WIDTH, 0.5 * picture.WIDTH])
        words = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertEqual(words, ["<title>", "x", "y", "a & b", "2.00", "0.50", "c", "1.00"])
        self.assertNotRegex(svg, "H%d[0-9]" % (picture.LEFT + picture.WIDTH))
        self.assertTrue(re.search(r"M%d\.0 " % (picture.LEFT + picture.WIDTH / 2), svg), "the line at 1")


if __name__ == "__main__":
    unittest.main()
