"""Tests of the harness itself: a check that cannot fail would prove nothing.

A good history gives no verdict; each class of violation, put into it, is found. The proxy loses
the armed answer and no other. Result lines and reports keep what was printed.
"""
import socket
import struct
import sys
import tempfile
import threading
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import report  # noqa: E402
from harness.history import History, verdict  # noqa: E402
from harness.proxy import DroppingProxy  # noqa: E402


def good_history():
    """Two producers in turn on one partition; p1's last record has an unknown outcome."""
    history = History()
    for n in range(20):
        producer, value = f"p{n % 2}", f"p{n % 2}:0:{n // 2}"
        history.invoked(producer, 0, value)
        if n < 19:
            history.sent(producer, 0, value, n)
            history.read("tail", 0, value, n)
        else:
            history.unknown(producer, 0, value, "timed out")
        history.read("final", 0, value, n)
    return history


class Verdict(unittest.TestCase):
    def classes(self, history):
        return {problem.split(":")[0] for problem in verdict(history)}

    def test_a_good_history_has_no_problem(self):
        self.assertEqual(verdict(good_history()), [])

    def test_an_unknown_record_may_be_absent(self):
        history = good_history()
        history.final[0].pop()
        self.assertEqual(verdict(history), [])

    def test_a_lost_record_at_the_end_is_found(self):
        history = good_history()
        del history.final[0][18:]
        self.assertIn("lost", self.classes(history))

    def test_a_duplicate_is_found(self):
        history = good_history()
        history.read("final", 0, "p0:0:3", 20)
        self.assertIn("duplicate", self.classes(history))

    def test_an_unknown_record_twice_is_found(self):
        history = good_history()
        history.read("final", 0, "p1:0:9", 20)
        self.assertIn("duplicate", self.classes(history))

    def test_another_value_at_an_acknowledged_offset_is_found(self):
        history = good_history()
        a, b = history.final[0][4], history.final[0][6]
        history.final[0][4], history.final[0][6] = (a[0], b[1]), (b[0], a[1])
        self.assertLessEqual({"inconsistent", "order"}, self.classes(history))

    def test_a_read_that_vanished_is_found(self):
        history = good_history()
        history.read("tail", 0, "p0:0:77", 30)
        self.assertEqual(self.classes(history), {"inconsistent"})

    def test_two_values_read_at_one_offset_are_found(self):
        history = good_history()
        history.read("tail", 0, "p0:0:77", 3)
        self.assertIn("inconsistent", self.classes(history))

    def test_a_gap_in_a_producers_sequence_is_found(self):
        history = History()
        for offset, n in enumerate((0, 1, 3)):
            history.read("final", 0, f"p0:0:{n}", offset)
        self.assertEqual(self.classes(history), {"order"})

    def test_a_hole_in_the_offsets_is_found(self):
        history = History()
        for n, offset in enumerate((0, 1, 3)):
            history.read("final", 0, f"p0:0:{n}", offset)
        self.assertEqual(self.classes(history), {"unseen"})


def frame(key, correlation):
    body = struct.pack(">hhih", key, 0, correlation, -1)
    return struct.pack(">i", len(body)) + body


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
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "r.xml"
            report.write_xml(path, result)
            root = ET.parse(path).getroot()
        self.assertEqual((root.get("tests"), root.get("failures"), root.get("skipped")),
                         ("3", "1", "1"))
        self.assertEqual([c.get("result") for c in root.iter("testcase")],
                         ["completed", "completed", "skipped"])
        self.assertEqual(root.find(".//failure").get("message"), 'got <1> & "2"')


if __name__ == "__main__":
    unittest.main()
