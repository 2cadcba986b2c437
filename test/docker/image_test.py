#!/usr/bin/env python3
"""What the image would hold (docker/assemble, which the Dockerfile calls too), and whether it runs on that alone."""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "app")]
import daemon_process
import unittest_report
from daemon_process import BINARY, Daemon, api_versions

ROOT = os.path.join(HERE, "..", "..")
DOCKER = os.path.join(ROOT, "docker")
LIMIT_BYTES = 80_000_000
UID = 65532
SANITIZED = subprocess.run(["ldd", BINARY], capture_output=True, text=True, timeout=30).stdout.count("libclang_rt") > 0


def text(*names):
    with open(os.path.join(*names), encoding="utf-8") as file:
        return file.read()


def dockerfile():
    """(instruction, rest) of the Dockerfile, with continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", text(DOCKER, "Dockerfile"))
    return [line.split(None, 1) for line in joined.splitlines() if line and not line.startswith("#")]


@unittest.skipUnless(shutil.which("llvm-strip-19"), "llvm-strip-19 is not installed")
class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        os.chmod(place.name, 0o755)
        cls.root = os.path.join(place.name, "root")
        done = subprocess.run([os.path.join(DOCKER, "assemble"), BINARY, cls.root], capture_output=True, text=True,
                              timeout=120)
        if done.returncode:
            raise AssertionError(done.stderr)

    def files(self):
        for folder, _, names in os.walk(self.root):
            yield from (os.path.join(folder, name) for name in names)

    @unittest.skipIf(SANITIZED, "a sanitized binary is larger than the one that is shipped")
    def test_it_is_under_80_MB(self):
        size = sum(os.lstat(file).st_size for file in self.files())
        self.assertGreater(size, 10_000_000, "what it links is not there")
        self.assertLess(size, LIMIT_BYTES)

    def test_it_holds_what_it_should_and_no_shell(self):
        found = {os.path.relpath(file, self.root) for file in self.files()}
        expected = {"usr/bin/tidegate", "etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/tidegate/server.properties",
                    "etc/ssl/certs/ca-certificates.crt", "usr/lib/ssl/cert.pem", "usr/share/doc/tidegate/copyright"}
        self.assertLessEqual(expected, found)
        others = {file for file in found - expected
                  if not re.search(r"\.so[.0-9]*$", file) and not re.fullmatch(r"usr/share/doc/[^/]+/copyright", file)}
        self.assertEqual(others, set())
        self.assertIn("BEGIN CERTIFICATE", text(self.root, "etc/ssl/certs/ca-certificates.crt"))
        sections = subprocess.run(["llvm-readelf-19", "-S", os.path.join(self.root, "usr/bin/tidegate")], check=True,
                                  capture_output=True, text=True, timeout=30).stdout
        self.assertNotIn(".symtab", sections)
        self.assertNotIn(".debug_info", sections)

    def test_nothing_is_open_to_all_or_runs_as_somebody_else(self):
        for file in self.files():
            mode = os.lstat(file).st_mode
            self.assertFalse(mode & (stat.S_ISUID | stat.S_ISGID), file)
            self.assertFalse(not stat.S_ISLNK(mode) and mode & stat.S_IWOTH, file)

    def test_every_library_has_its_licence(self):
        libraries = [file for file in self.files() if re.search(r"\.so[.0-9]*$", file)]
        licences = os.listdir(os.path.join(self.root, "usr/share/doc"))
        self.assertGreater(len(libraries), 30)
        for word in ("libc6", "libstdc++6", "librocksdb", "libgrpc", "libssl3", "ca-certificates", "tidegate"):
            self.assertTrue(any(name.startswith(word) for name in licences), f"{word} not in {licences}")

    @staticmethod
    def there_and_back(address):
        def kcat(*options, given=None):
            return subprocess.run(["kcat", "-b", address, "-t", "numbers", *options], input=given, check=True,
                                  capture_output=True, text=True, timeout=60).stdout

        kcat("-P", "-p", "0", given="one\ntwo\nthree\n")
        return kcat("-C", "-p", "0", "-o", "beginning", "-e", "-q")

    @unittest.skipUnless(os.geteuid() == 0, "chroot needs root")
    @unittest.skipUnless(shutil.which("kcat"), "kcat is not installed")
    def test_it_serves_from_that_root_as_its_own_user(self):
        inside = ["chroot", f"--userspec={UID}:{UID}", self.root, "/usr/bin/tidegate"]
        self.assertEqual(os.stat(os.path.join(self.root, "data")).st_uid, UID)
        outside = os.path.join(self.root, "chroot-command")  # Daemon starts one program: chroot with what goes in
        with open(outside, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexec " + " ".join(inside) + ' "$@"\n')
        os.chmod(outside, 0o755)
        self.addCleanup(os.remove, outside)
        settings = ("--config", "/etc/tidegate/server.properties")  # on free ports, and told so
        with mock.patch.object(daemon_process, "BINARY", outside):
            with Daemon(*settings, "--advertise", "127.0.0.1:0", data_dir="/data", admin="0.0.0.0:0") as daemon:
                self.assertIn(18, api_versions(daemon.kafka))
                self.assertEqual(os.stat(f"/proc/{daemon.process.pid}").st_uid, UID)
                self.assertEqual(self.there_and_back("{}:{}".format(*daemon.kafka)), "one\ntwo\nthree\n")
                asked = {"TIDEGATE_ADMIN_LISTEN": f"0.0.0.0:{daemon.admin[1]}"}
                self.assertEqual(daemon_process.run("health", *settings, environment=asked)[:2], (0, "ok\n"))
                self.assertEqual(daemon.stop(), 0)
            self.assertTrue(os.listdir(os.path.join(self.root, "data")))
            status, out, err = daemon_process.run("config", "--check", settings[1])
            self.assertEqual((status, err), (0, ""), out)


class Dockerfile(unittest.TestCase):
    def test_last_stage_is_empty_and_not_root(self):
        lines = dockerfile()
        stages = [rest for word, rest in lines if word == "FROM"]
        self.assertEqual(stages, ["debian:bookworm AS build", "scratch"])
        last = lines[lines.index(["FROM", "scratch"]):]
        self.assertEqual([rest for word, rest in last if word == "USER"], [f"{UID}:{UID}"])
        self.assertNotIn("RUN", [word for word, _ in last])
        self.assertIn('"/usr/bin/tidegate", "health"', dict(last)["HEALTHCHECK"])
        self.assertTrue(any("docker/assemble " in rest for word, rest in lines if word == "RUN"))

    def test_it_installs_what_dev_installs(self):
        packages = subprocess.run([os.path.join(ROOT, "dev"), "packages"], capture_output=True, text=True, check=True,
                                  timeout=30).stdout.split()
        self.assertIn("clang-19", packages)
        self.assertIn("librocksdb-dev", packages)
        self.assertTrue(any("$(./dev packages)" in rest for _, rest in dockerfile()))

    def test_the_build_gets_every_folder_that_it_reads(self):
        let_in = {line[1:] for line in text(ROOT, ".dockerignore").splitlines() if line.startswith("!")}
        for name in ("CMakeLists.txt", "CMakePresets.json", "LICENSE", "cmake", "dev", "docker/assemble",
                     "docker/server.properties", "include", "packaging", "proto", "src"):
            self.assertIn(name, let_in)
            self.assertTrue(os.path.exists(os.path.join(ROOT, name)), name)
        folders = set(re.findall(r"^add_subdirectory\((\w+)\)", text(ROOT, "CMakeLists.txt"), re.M))
        self.assertLessEqual(folders, let_in)


if __name__ == "__main__":
    unittest_report.main(__name__)
