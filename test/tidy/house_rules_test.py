#!/usr/bin/env python3
"""Each house rule, broken on purpose in a tree made for it: a check that cannot fail is no check."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RULES = Path(__file__).with_name("house_rules.py")
HEADER = "// What it is for.\n#pragma once\n"


def breaches(files):
    with tempfile.TemporaryDirectory() as tree:
        for name, text in files.items():
            path = Path(tree) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run = subprocess.run([sys.executable, RULES, tree], capture_output=True, text=True)
        return run.returncode, run.stdout


class HouseRules(unittest.TestCase):
    def assert_breach(self, name, text, words):
        status, output = breaches({name: text})
        self.assertEqual(status, 1, output)
        self.assertIn(words, output)

    def test_good_files_pass(self):
        status, output = breaches({
            "include/tidegate/base/a.h": HEADER,
            "src/broker/b.cc": '#include "tidegate/storage/engine.h"\n// std::thread and printf( are words here\n',
        })
        self.assertEqual(status, 0, output)

    def test_an_arrow_up_is_refused(self):
        self.assert_breach("src/protocol/a.cc", '#include "tidegate/runtime/shard.h"\n', "arrows point down")
        self.assert_breach("src/storage/memory/a.cc", '#include "tidegate/broker/broker.h"\n', "arrows point down")
        self.assert_breach("src/broker/a.cc", '#include "tidegate/storage/memory/engine.h"\n', "arrows point down")

    def test_third_party_headers_stay_home(self):
        self.assert_breach("src/protocol/a.cc", "#include <boost/asio/post.hpp>\n", "stays in")
        self.assert_breach("src/broker/a.cc", "#include <rocksdb/db.h>\n", "stays in")
        self.assert_breach("src/server/a.cc", "#include <prometheus/registry.h>\n", "stays in")
        self.assert_breach("src/storage/embedded/a.cc", '#include "seaweedfs/filer.pb.h"\n', "stays in")

    def test_clock_sleep_random_and_threads_come_in_from_outside(self):
        self.assert_breach("src/broker/a.cc", "auto t = std::chrono::steady_clock::now();\n", "clock")
        self.assert_breach("src/api/a.cc", "std::this_thread::sleep_for(x);\n", "sleeps")
        self.assert_breach("src/producers/a.cc", "std::random_device d;\n", "randomness")
        self.assert_breach("src/server/a.cc", "std::thread t(f);\n", "starts a thread")

    def test_printing_is_refused(self):
        self.assert_breach("src/broker/a.cc", 'std::cout << "x";\n', "prints")
        for line in ('printf("x");', 'std::fputs("x", stdout);', "::fwrite(data, 1, 2, stdout);", 'std::print("x");',
                     'std::println("x");', 'fmt::print("x");', "::write(STDOUT_FILENO, data, 2);"):
            self.assert_breach("src/broker/a.cc", line + "\n", "prints")

    def test_headers_say_what_they_are_for(self):
        self.assert_breach("include/tidegate/base/a.h", "#pragma once\n", "opens with a comment")
        self.assert_breach("include/tidegate/base/a.h", "// For x.\n", "#pragma once")

    def test_an_empty_tree_is_not_a_pass(self):
        self.assertEqual(breaches({})[0], 1)


if __name__ == "__main__":
    unittest.main()
