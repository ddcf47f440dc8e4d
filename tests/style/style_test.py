#!/usr/bin/env python3
"""Runs the rules of this folder over the tree, and each of them over a sample that breaks it.

Usage: style_test.py [SOURCE_DIR [CXX_FLAG…]]
"""

import os
import shutil
import subprocess
import sys
import unittest

import doc_rules
import source_rules

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FOLDERS = ("common", "server", "client", "tests", "proto", "deploy", ".ci")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def tree(*suffixes):
    """Paths from the root of all files of the project that end like this."""
    for folder in FOLDERS:
        for at, folders, names in os.walk(os.path.join(ROOT, folder)):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(at, name), ROOT)
    yield from (name for name in sorted(os.listdir(ROOT)) if name.endswith(suffixes))


class TreeTest(unittest.TestCase):
    """The project as it stands."""

    def report(self, found):
        found = list(found)
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_sources_keep_the_house_rules(self):
        files = list(tree(".h", ".cc", ".inc", ".py", "CMakeLists.txt"))
        self.assertGreater(len(files), 20)
        for path in files:
            if read(path).count("\n") > source_rules.FILE_LINES_WARN:
                print(f"warning: {path} is over {source_rules.FILE_LINES_WARN} lines")
        self.report(complaint for path in files
                    for complaint in source_rules.complaints(path, read(path)))

    def test_links_lead_somewhere(self):
        def exists(path):
            return os.path.exists(os.path.join(ROOT, path))
        self.report(complaint for path in tree(".md")
                    for complaint in doc_rules.dead_links(path, read(path), exists))

    def test_each_promise_names_a_test_that_exists(self):
        tests = doc_rules.defined_tests(read(path) for path in tree(".cc", ".h", ".py")
                                        if path.startswith("tests/"))
        self.report(doc_rules.promise_complaints(read("proto/SEMANTICS.md"), tests))

    def test_known_differences_are_documented(self):
        known = doc_rules.known_differences(read("tests/posix/differential/known_differences.h"))
        self.assertGreater(len(known), 10)
        semantics = read("proto/SEMANTICS.md")
        self.report(f"SEMANTICS.md does not list: {what}" for what in known
                    if f"| {what} |" not in semantics)

    def test_shell_scripts_parse(self):
        scripts = [path for path in self.executables_and_scripts()
                   if read(path).startswith(("#!/bin/bash", "#!/usr/bin/env bash"))]
        self.assertGreater(len(scripts), 3)
        for path in scripts:
            run = subprocess.run(["bash", "-n", os.path.join(ROOT, path)], capture_output=True,
                                 text=True, check=False)
            self.assertEqual(run.returncode, 0, run.stderr)

    def executables_and_scripts(self):
        for path in tree(""):
            full = os.path.join(ROOT, path)
            if os.path.isfile(full) and (path.endswith(".sh") or os.access(full, os.X_OK)):
                with open(full, "rb") as file:
                    if file.read(2) == b"#!":
                        yield path


class NegativeControlTest(unittest.TestCase):
    """Each rule bites: a sample that breaks it is reported, a good one is not."""

    def caught(self, path, text, expected):
        found = list(source_rules.complaints(path, text))
        self.assertTrue(any(expected in complaint for complaint in found), found)

    def test_good_header_passes(self):
        good = "// What it is for.\n#pragma once\n#include \"common/types.h\"\n"
        self.assertEqual(list(source_rules.complaints("server/state/good.h", good)), [])

    def test_long_file_is_caught(self):
        self.caught("server/ops/a.cc", "int x;\n" * 601, "601 lines")
        self.caught("server/ops/a.h", "// Head.\n#pragma once\n" + "int x;\n" * 199, "201 lines")

    def test_wide_line_is_caught(self):
        self.caught("common/a.cc", "// " + "x" * 98 + "\n", "101 columns")

    def test_long_function_is_caught(self):
        body = "  Work();\n" * 69
        self.caught("common/a.cc", "namespace tarn {\nint F(int a) {\n" + body + "}\n}\n",
                    "function of 71 lines")
        self.caught("common/a.cc", "A::A(int x)\n    : x_{x}, y_(1) {\n" + body + "}\n",
                    "function of 72 lines")
        self.caught("common/a.cc", "TEST_P(ATest, Works) {\n" + body + "}\n", "of 71 lines")
        self.caught("common/a.h", "class A {\n  void F() const override {\n" + body + "  }\n};\n",
                    "of 71 lines")
        short = "struct A {\n" + "  void F() { G(\"{\"); }\n" * 100 + "};\n"
        self.assertEqual(list(source_rules.function_length("a.cc", short)), [])

    def test_header_without_head_comment_is_caught(self):
        self.caught("common/a.h", "#pragma once\n", "begins with a comment")
        self.caught("common/a.h", "// Head.\n", "#pragma once is missing")

    def test_sleep_is_caught(self):
        for call in ("std::this_thread::sleep_for(1s);", "usleep(5);", "sleep(1);",
                     "absl::SleepFor(absl::Seconds(1));", "::sleep(1);"):
            self.caught("tests/unit/a.cc", call + "\n", "sleeps")
        self.assertEqual(list(source_rules.no_sleep("a.cc", "// usleep(5)\n\"usleep\";\n")), [])

    def test_wait_by_the_wall_clock_is_caught(self):
        for call in ("mu_.AwaitWithTimeout(c, d);", "cv_.WaitWithDeadline(&mu_, t);",
                     "ready.WaitForNotificationWithTimeout(d);", "auto t = absl::Now();",
                     "context.set_deadline(std::chrono::system_clock::now() + kLimit);",
                     "cv_.wait_for(lock, 1s);"):
            self.caught("client/fuse/a.cc", call + "\n", "time of day")
            self.caught("server/rpc/a.cc", call + "\n", "time of day")
        good = "AwaitFor(mu_, c, d);\n"
        self.assertEqual(list(source_rules.no_wall_clock("client/fuse/a.cc", good)), [])

    def test_include_direction_is_caught(self):
        for path, include in (
                ("server/ops/a.cc", "client/fuse/bridge.h"),
                ("client/fuse/a.cc", "server/ops/local_fs.h"),
                ("client/fuse/a.cc", "client/transport/remote_fs.h"),
                ("common/a.cc", "server/ops/local_fs.h"),
                ("common/a.h", "common/wire/codec.h"),
                ("common/posix/a.cc", "filesystem.pb.h"),
                ("server/state/a.cc", "server/store/store.h"),
                ("server/store/a.cc", "server/state/lock_table.h"),
                ("server/ops/a.cc", "rocksdb/db.h"),
                ("server/ops/a.cc", "grpcpp/grpcpp.h"),
                ("client/cli/a.cc", "fuse_lowlevel.h"),
                ("client/cli/a.cc", "server/options.h"),
                ("server/rpc/a.cc", "tests/support/mem_kv.h")):
            with self.subTest(path=path, include=include):
                self.caught(path, f'#include "{include}"\n', include)
                self.caught(path, f"#include <{include}>\n", include)

    def test_dead_link_is_caught(self):
        found = list(doc_rules.dead_links("a/README.md", "[x](gone.md) [y](https://e.org)",
                                          lambda path: False))
        self.assertEqual(found, ["a/README.md: the link to gone.md leads nowhere"])

    def test_promise_without_test_is_caught(self):
        tests = doc_rules.defined_tests(["TEST_P(RenameTest, KeepsInode) {"])
        python = ("class A(Test):\n    def test_a(self):\n\nX = 1\n\n"
                  "class B(Test):\n    def test_b(self):\n")
        self.assertEqual(doc_rules.defined_tests([python]), {"A.test_a", "B.test_b"})
        good = "- **1.1** Renames keep the inode. `RenameTest.KeepsInode`\n"
        self.assertEqual(list(doc_rules.promise_complaints(good, tests)), [])
        for bad, expected in (("- **1.1** No test.\n", "names no test"),
                              ("- **1.1** `RenameTest.Other`\n", "does not exist"),
                              (good + good, "twice"),
                              ("Nothing.\n", "no promise found")):
            found = " ".join(doc_rules.promise_complaints(bad, tests))
            self.assertIn(expected, found)


class ThreadSafetyTest(unittest.TestCase):
    """Clang's analysis of our annotations is on and fails a build that breaks them."""

    def compile(self, *defines):
        clang = shutil.which("clang++")
        if clang is None:
            self.skipTest("clang++ is not installed")
        return subprocess.run(
            [clang, "-std=c++20", "-fsyntax-only", "-Wthread-safety", "-Werror", f"-I{ROOT}",
             *defines, os.path.join(HERE, "must_not_compile.cc")],
            capture_output=True, text=True, check=False)

    def test_locked_access_compiles(self):
        run = self.compile("-DTARN_WITH_LOCK")
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_unlocked_access_does_not_compile(self):
        run = self.compile()
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("requires holding mutex 'mu_'", run.stderr)


if __name__ == "__main__":
    unittest.main()
