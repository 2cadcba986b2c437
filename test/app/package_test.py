#!/usr/bin/env python3
"""The Debian package, built and unpacked: what is in it, and whether what is in it runs."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "support"), os.path.dirname(__file__)]
import daemon_process
import unittest_report
from daemon_process import BINARY, Daemon, api_versions

BUILD = os.environ.get("TIDEGATE_BUILD", os.path.dirname(BINARY))
TOOLS = ("cmake", "cpack", "dpkg-deb", "dpkg-shlibdeps")
FILES = {"etc/tidegate/server.properties", "lib/systemd/system/tidegate.service", "usr/bin/tidegate",
         "usr/share/bash-completion/completions/tidegate", "usr/share/doc/tidegate/copyright",
         "usr/share/man/man1/tidegate.1.gz"}


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@unittest.skipUnless(all(map(shutil.which, TOOLS)), f"not all of {', '.join(TOOLS)} are installed")
class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.place.cleanup)
        call("cmake", "--build", BUILD, "--target", "package_files")
        call("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", cls.place.name)
        cls.package, = (os.path.join(cls.place.name, name) for name in os.listdir(cls.place.name)
                        if name.endswith(".deb"))
        cls.root = os.path.join(cls.place.name, "root")
        cls.control = os.path.join(cls.place.name, "control")
        call("dpkg-deb", "-x", cls.package, cls.root)
        call("dpkg-deb", "-e", cls.package, cls.control)

    def test_it_holds_what_it_should(self):
        found = set()
        for folder, _, names in os.walk(self.root):
            found |= {os.path.relpath(os.path.join(folder, name), self.root) for name in names}
        self.assertEqual(found, FILES)
        with open(os.path.join(self.control, "conffiles"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "/etc/tidegate/server.properties\n")
        for script in ("postinst", "prerm"):
            path = os.path.join(self.control, script)
            self.assertTrue(os.access(path, os.X_OK))
            call("sh", "-n", path)
        depends = call("dpkg-deb", "-f", self.package, "Depends")
        for library in ("libc6 (", "librocksdb", "libgrpc++", "libssl3"):
            self.assertIn(library, depends)
        manual = call("gzip", "-dc", os.path.join(self.root, "usr/share/man/man1/tidegate.1.gz"))
        self.assertTrue(manual.startswith(".TH TIDEGATE 1"))

    def test_its_binary_serves_with_its_settings(self):
        binary = os.path.join(self.root, "usr/bin/tidegate")
        settings = os.path.join(self.root, "etc/tidegate/server.properties")
        with mock.patch.object(daemon_process, "BINARY", binary), Daemon("--config", settings) as daemon:
            self.assertIn(18, api_versions(daemon.kafka))
            self.assertEqual(daemon.process.args[0], binary)
            self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest_report.main(__name__)
