#!/usr/bin/env python3
"""What systemd is told, the unit file, the manual page and the shell's completion."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "support"), os.path.dirname(__file__)]
import unittest_report
from daemon_process import BINARY, Daemon, run

PACKAGING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging")


class Manager:
    """The socket that systemd would listen on."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(30)

    def next(self):
        return self.socket.recv(4096).decode()

    def next_but(self, word):
        while (told := self.next()) == word:
            pass
        return told

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Notifications(unittest.TestCase):
    def test_ready_then_stopping(self):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "notify")
            with Manager(path) as manager, Daemon(environment={"NOTIFY_SOCKET": path}) as daemon:
                self.assertEqual(manager.next(), "READY=1")
                daemon.process.send_signal(signal.SIGTERM)
                self.assertEqual(manager.next(), "STOPPING=1")
                self.assertEqual(daemon.process.wait(30), 0)

    def test_abstract_socket_and_watchdog(self):
        name = f"tidegate-test-{os.getpid()}"
        with Manager("\0" + name) as manager, \
                Daemon(environment={"NOTIFY_SOCKET": "@" + name, "WATCHDOG_USEC": "200000"}) as daemon:
            self.assertEqual(manager.next_but("WATCHDOG=1"), "READY=1")
            for _ in range(5):
                self.assertEqual(manager.next(), "WATCHDOG=1")
            daemon.process.send_signal(signal.SIGTERM)
            self.assertEqual(manager.next_but("WATCHDOG=1"), "STOPPING=1")
            self.assertEqual(daemon.process.wait(30), 0)

    def test_the_watchdog_of_another_process_is_not_fed(self):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "notify")
            environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"}
            with Manager(path) as manager, Daemon(environment=environment) as daemon:
                self.assertEqual(manager.next(), "READY=1")
                daemon.process.send_signal(signal.SIGTERM)
                self.assertEqual(manager.next(), "STOPPING=1")

    def test_a_socket_that_is_not_there_is_no_reason_not_to_serve(self):
        with Daemon(environment={"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "200000"}) as daemon:
            self.assertEqual(daemon.stop(), 0)


class Files(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_understands_the_unit(self):
        with tempfile.TemporaryDirectory() as place:
            with open(os.path.join(PACKAGING, "tidegate.service"), encoding="utf-8") as file:
                unit = file.read()
            path = os.path.join(place, "tidegate.service")
            with open(path, "w", encoding="utf-8") as file:
                file.write(unit.replace("/usr/bin/tidegate", os.path.abspath(BINARY)))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True,
                                  timeout=60)
            told = [line for line in done.stderr.splitlines() if "tidegate.service" in line]
            self.assertEqual((done.returncode, told), (0, []), done.stderr)

    def test_the_package_s_settings_are_good(self):
        status, out, err = run("config", "--check", os.path.join(PACKAGING, "server.properties"))
        self.assertEqual((status, err), (0, ""), out)

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_formats_the_page_without_a_warning(self):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "tidegate.1")
            with open(path, "w", encoding="utf-8") as file:
                file.write(run("docs", "man")[1])
            done = subprocess.run(["man", "--warnings", "-l", path], capture_output=True, text=True, timeout=60,
                                  env=os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "100", "MANPAGER": "cat"})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            text = re.sub(r".\x08", "", done.stdout)
            for words in ("tidegate serve", "tidegate config", "--advertise", "log.retention.ms", "SIGHUP"):
                self.assertIn(words, text)


class Completion(unittest.TestCase):
    def complete(self, *words):
        """What bash offers for the last of `words`."""
        script = ("source /dev/stdin; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _tidegate; "
                  "printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "--norc", "-c", script, "bash", "tidegate", *words], capture_output=True,
                              text=True, timeout=30, input=run("docs", "completion")[1], check=True)
        return done.stdout.split()

    def test_commands_options_and_settings(self):
        self.assertIn("serve", self.complete(""))
        self.assertEqual(self.complete("ser"), ["serve"])
        self.assertEqual(self.complete("serve", "--adv"), ["--advertise"])
        self.assertIn("plan", self.complete("groups", ""))
        self.assertNotIn("plan", self.complete("serve", ""))
        self.assertEqual(self.complete("serve", "--set", "log.retention.m"), ["log.retention.ms=", "log.retention.minutes="])

    def test_files(self):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "server.properties")
            with open(path, "w", encoding="utf-8"):
                pass
            self.assertEqual(self.complete("serve", "--config", os.path.join(place, "ser")), [path])


if __name__ == "__main__":
    unittest_report.main(__name__)
