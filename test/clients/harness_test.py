"""Tests of the harness itself: a check that cannot fail would prove nothing.

The proxy loses the armed answer and no other. Result lines and reports keep what was printed. (The
history checker has tests of its own.)
"""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from checker import history  # noqa: E402
from harness import coordinator, generations, rebalances, report  # noqa: E402
from harness.proxy import DroppingProxy  # noqa: E402


def frame(key, correlation):
    body = struct.pack(">hhih", key, 0, correlation, -1)
    return struct.pack(">i", len(body)) + body


class Tether(unittest.TestCase):
    def test_children_end_with_a_harness_that_is_killed(self):
        """Also those that a short-lived thread has asked for, and which live as long as it goes on."""
        script = ("import sys, threading, time\n"
                  f"sys.path.insert(0, {str(Path(__file__).resolve().parent)!r})\n"
                  "from harness import tether\n"
                  "ask = lambda: print(tether.popen(['sleep', '100']).pid, flush=True)\n"
                  "thread = threading.Thread(target=ask)\n"
                  "thread.start()\n"
                  "thread.join()\n"
                  "print('gone', flush=True)\n"
                  "time.sleep(100)\n")
        harness = subprocess.Popen([sys.executable, "-B", "-c", script], stdout=subprocess.PIPE, text=True)
        try:
            child = int(harness.stdout.readline())
            self.assertEqual(harness.stdout.readline(), "gone\n")
            os.kill(child, 0)
        finally:
            harness.send_signal(signal.SIGKILL)
            harness.wait()
            harness.stdout.close()
        deadline = time.monotonic() + 20
        while self.runs(child):
            self.assertLess(time.monotonic(), deadline, "the child lives on")
            time.sleep(0.05)

    @staticmethod
    def runs(pid):
        """A zombie that nobody has waited for yet does not."""
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False


class Proxy(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.received = []
        threading.Thread(target=self.answer, daemon=True).start()
        self.proxy = DroppingProxy()
        self.proxy.upstream = "127.0.0.1:%d" % self.listener.getsockname()[1]

    def tearDown(self):
        self.proxy.close()
        self.listener.close()

    def answer(self):
        """Answers each request with its correlation id."""
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                while head := peer.recv(4, socket.MSG_WAITALL):
                    body = peer.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL)
                    key, _, correlation = struct.unpack_from(">hhi", body)
                    self.received.append((key, correlation))
                    peer.sendall(struct.pack(">ii", 4, correlation))

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.proxy.port), 5)
        client.settimeout(5)
        return client

    def test_only_the_armed_answer_is_lost_and_the_request_arrived(self):
        self.proxy.arm(0, 1)
        with self.connect() as client:
            client.sendall(frame(3, 1))
            self.assertEqual(client.recv(8, socket.MSG_WAITALL), struct.pack(">ii", 4, 1))
            client.sendall(frame(0, 2))
            self.assertEqual(client.recv(8), b"")
        self.assertEqual(self.received, [(3, 1), (0, 2)])
        self.assertEqual(self.proxy.dropped(), 1)
        with self.connect() as client:
            client.sendall(frame(0, 3))
            self.assertEqual(client.recv(8, socket.MSG_WAITALL), struct.pack(">ii", 4, 3))


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


class Coordinator(unittest.TestCase):
    """What the churn test asks on the wire, from a listener that gives one answer to everything."""

    def ask(self, answer, question):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                peer, _ = listener.accept()
                with peer:
                    peer.recv(struct.unpack(">i", peer.recv(4, socket.MSG_WAITALL))[0],
                              socket.MSG_WAITALL)
                    peer.sendall(struct.pack(">i", len(answer)) + answer)

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                return question("127.0.0.1:%d" % listener.getsockname()[1])
            finally:
                thread.join()

    def test_committed_leaves_out_errors_and_keeps_none(self):
        rows = ((0, 7, 0), (1, -1, 0), (2, -1, 3))
        answer = struct.pack(">ii", 1, 1) + string("t") + struct.pack(">i", len(rows)) + b"".join(
            struct.pack(">iq", p, offset) + string("") + struct.pack(">h", error)
            for p, offset, error in rows)
        self.assertEqual(self.ask(answer, lambda at: coordinator.committed(at, "g", "t", 3)),
                         {0: 7, 1: -1})

    def described(self, error=0):
        assigned = struct.pack(">hi", 0, 1) + string("t") + struct.pack(">iiii", 2, 0, 3, -1)
        answer = struct.pack(">iih", 1, 1, error) + b"".join(map(string, ("g", "Stable", "consumer", "range")))
        answer += struct.pack(">i", 2)
        for member, data in (("a", assigned), ("b", b"")):
            answer += b"".join(map(string, (member, "id", "/host"))) + struct.pack(">i", 0)
            answer += struct.pack(">i", len(data)) + data
        return self.ask(answer, lambda at: coordinator.describe(at, "g", consumer_protocol=False))

    def test_describe_tells_who_holds_what(self):
        self.assertEqual(self.described(),
                         coordinator.Description("Stable", "range", {"a": ["t-0", "t-3"], "b": []}))
        self.assertIsNone(self.described(error=16))

    def test_nonsense_and_silence_are_wire_errors(self):
        for answer in (b"\0\0\0\1", b"\0\0\0\1\0\0\0\1\0\0\0"):
            with self.assertRaises(coordinator.WireError):
                self.ask(answer, lambda at: coordinator.committed(at, "g", "t", 1))
        with self.assertRaises(coordinator.WireError):
            coordinator.committed("127.0.0.1:1", "g", "t", 1)


def when_s(second):
    return datetime.fromisoformat(f"2026-11-22T21:00:{second}+00:00").timestamp()


class Generations(unittest.TestCase):
    def ops(self, *told, group="mixed"):
        lines = [json.dumps({"client": f"c{n}", "op": 1, "type": "ok", "f": "own", "group": group, "generation": g,
                             "tps": []}) for n, g in enumerate(told)]
        return history.parse(lines)

    def test_began_anew_when_the_number_went_back_in_between(self):
        for told, lines, wanted in (((3, 1, 2, 3), (1, 4), True),
                                    ((3, 4, 1, 3), (1, 4), True),
                                    ((3, 3), (1, 2), False),
                                    ((3, 4, 3), (1, 3), True),
                                    ((2, 3, 3, 1), (2, 3), False),
                                    ((1, 3, 4, 5), (2, 4), False),
                                    ((3, 1, 2, 3), (1,), False)):
            with self.subTest(told=told):
                self.assertEqual(generations.began_anew(self.ops(*told), "mixed", lines), wanted)

    def test_another_group_proves_nothing(self):
        self.assertFalse(generations.began_anew(self.ops(3, 1, 3, group="other"), "mixed", (1, 3)))


class Rebalances(unittest.TestCase):
    LINES = ['2026-11-22T21:00:10.000+00:00 info  event=group_rebalanced group="a" members=2 milliseconds=4000',
             '2026-11-22T21:00:20.500+00:00 info  event=group_rebalanced group="a" members=2 milliseconds=500',
             '2026-11-22T21:00:21.000+00:00 info  event=group_rebalance group="a" generation=3 members=2']

    def test_lines_become_intervals(self):
        found = rebalances.parse(self.LINES)
        self.assertEqual([(group, end - begin) for group, begin, end in found], [("a", 4.0), ("a", 0.5)])

    def test_those_beside_an_absence_of_their_group_count_apart(self):
        found = rebalances.parse(self.LINES)
        end = found[0][2]
        split = rebalances.split(found, [("a", end - 5, end - 3), ("b", end, end + 60)], [])
        self.assertEqual(split, ([500.0], [4000.0], []))

    def test_those_that_waited_for_the_end_of_a_session_count_apart(self):
        removed = ('2026-11-22T21:00:{}+00:00 info  event=group_member_removed group="{}" generation=3 members=1 '
                   'why="{}" member="m-1" client_reason=""')
        found = rebalances.parse(self.LINES)
        silent = ([500.0], [], [4000.0])
        for when, group, why, wanted in (
                ("09.000", "a", "session timeout", silent),
                ("09.000", "a", "its session expired", silent),
                ("06.001", "a", "session timeout", ([500.0, 4000.0], [], [])),  # what it began with
                ("09.000", "a", "left", ([500.0, 4000.0], [], [])),
                ("09.000", "b", "session timeout", ([500.0, 4000.0], [], [])),
                ("12.000", "a", "session timeout", ([500.0, 4000.0], [], []))):
            with self.subTest(when=when, group=group, why=why):
                ended = rebalances.session_ends([removed.format(when, group, why)])
                stopped = [("a", when_s(when) - 4, when_s(when) - 0.5)]
                self.assertEqual(rebalances.split(found, [], ended, [(b, e) for _, b, e in stopped]), wanted)

    def test_a_session_that_ended_by_itself_excuses_nothing(self):
        removed = ['2026-11-22T21:00:09.000+00:00 info  event=group_member_removed group="a" generation=3 members=1 '
                   'why="session timeout" member="m-1" client_reason=""']
        found, ended = rebalances.parse(self.LINES), rebalances.session_ends(removed)
        counted, when = ([500.0, 4000.0], [], []), ended[0][1]
        for outages in ([], [(when + 0.1, when + 9)], [(when - 9, when - 2)]):
            self.assertEqual(rebalances.split(found, [], ended, outages), counted)
            self.assertEqual(rebalances.unexplained(ended, [("b", when - 1, when + 1)], outages), ended)
        self.assertEqual(rebalances.unexplained(ended, [("a", when - 1, when)], []), [])
        self.assertEqual(rebalances.unexplained(ended, [], [(when - 1, when)]), [])

    def test_lines_that_were_not_written_are_counted(self):
        line = '2026-11-22T21:00:09.000+00:00 info  event=group_{} group="a" why="x" suppressed={}'
        self.assertEqual(rebalances.suppressed(self.LINES), 0)
        self.assertEqual(rebalances.suppressed([line.format("rebalanced", 3), line.format("stable", 0),
                                                line.format("member_removed", 4)]), 7)

    def test_percentiles(self):
        self.assertEqual(rebalances.percentile(list(range(100)), 0.99), 99)
        self.assertEqual(rebalances.describe("x", [1.0]), "x: 1, p50 1 ms, p99 1 ms, longest 1 ms")
        self.assertEqual(rebalances.describe("x", []), "x: none")


class Report(unittest.TestCase):
    def test_result_lines(self):
        self.assertEqual(report.parse("PASS a_b"), ("PASS", "a_b", ""))
        self.assertEqual(report.parse("FAIL x: why: so"), ("FAIL", "x", "why: so"))
        self.assertIsNone(report.parse("PASSED x"))

    def test_xml_has_the_counts_and_reasons(self):
        result = report.SuiteResult("s")
        result.add("PASS", "a")
        result.add("FAIL", "b", 'got <1> & "2"')
        result.add("SKIP", "c", "no toolchain")
        result.add("PASS", "d", "back after 1 s & 2 ms")
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "r.xml"
            report.write_xml(path, result)
            root = ET.parse(path).getroot()
        self.assertEqual((root.get("tests"), root.get("failures"), root.get("skipped")),
                         ("4", "1", "1"))
        self.assertEqual([c.get("result") for c in root.iter("testcase")],
                         ["completed", "completed", "skipped", "completed"])
        self.assertEqual(root.find(".//failure").get("message"), 'got <1> & "2"')
        self.assertEqual([c.findtext("system-out") for c in root.iter("testcase")],
                         [None, None, None, "back after 1 s & 2 ms"])


if __name__ == "__main__":
    unittest.main()
