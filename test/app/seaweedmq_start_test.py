#!/usr/bin/env python3
"""The daemon with --engine seaweedmq while SeaweedFS is missing, when it comes, and when it goes."""
import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "support"), os.path.dirname(__file__)]
import unittest_report
import wire
from daemon_process import BINARY, api_versions, clean_environment, receive_frame, run, wait_until

FAKE = os.environ.get("TIDEGATE_FAKE_SEAWEEDFS", "build/release/bin/fake_seaweedfs")
LEADER_NOT_AVAILABLE, COORDINATOR_NOT_AVAILABLE = 5, 15


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class FakeSeaweed:
    """The fake servers in a process: masters' address, commands by line."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([FAKE, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.masters = self.process.stdout.readline().split()[1]

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer == "ok", (line, answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Gateway:
    """A daemon that may not get ready: its ports are known beforehand."""

    def __init__(self, masters, *options):
        self.kafka, self.admin = ("127.0.0.1", free_port()), ("127.0.0.1", free_port())
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--listen", "%s:%d" % self.kafka, "--admin", "%s:%d" % self.admin, "--engine", "seaweedmq",
             "--log-format", "text", "--set", f"seaweedmq.masters={masters}", *options], stderr=self.log, env=clean_environment())

    def readyz(self):
        try:
            connection = http.client.HTTPConnection(*self.admin, timeout=5)
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""

    def ready_says(self, words, status=503, timeout=30):
        return wait_until(lambda: (lambda got: got[0] == status and words in got[1])(self.readyz()), timeout)

    def ask(self, frame):
        """The answer's body, or None when the connection was closed."""
        with socket.create_connection(self.kafka, timeout=10) as client:
            client.sendall(frame)
            try:
                return receive_frame(client)
            except ConnectionError:
                return None

    def stderr(self):
        self.log.seek(0)
        return self.log.read()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()


class Refused(unittest.TestCase):
    def refused(self, expected, *options):
        status, out, err = run("serve", "--engine", "seaweedmq", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                               *options)
        self.assertEqual((status, out), (1, ""), err)
        self.assertIn(expected, err.splitlines()[-1])

    def test_what_can_never_work_is_a_start_error(self):
        here = ("--set", "seaweedmq.masters=127.0.0.1:1")
        self.refused("seaweedmq.masters")
        self.refused("seaweedmq.masters", "--set", "seaweedmq.masters=nonsense")
        self.refused("seaweedmq.path", *here, "--set", "seaweedmq.path=sideways")
        self.refused("seaweedmq.ack", *here, "--set", "seaweedmq.ack=soon")
        self.refused("seaweedmq.layout", *here, "--set", "seaweedmq.layout=columns")
        self.refused("seaweedmq.replication", *here, "--set", "seaweedmq.replication=2")
        self.refused("seaweedmq.address.rewrite", *here, "--set", "seaweedmq.address.rewrite=nonsense")
        self.refused("/nowhere/ca.pem", *here, "--set", "seaweedmq.tls.ca=/nowhere/ca.pem")
        self.refused("seaweedmq.chunk.max.bytes", *here, "--set", "seaweedmq.chunk.max.bytes=8192")


class Waiting(unittest.TestCase):
    def test_names_what_is_missing_and_puts_clients_off_and_stops_in_time(self):
        gateway = Gateway(f"127.0.0.1:{free_port()}.{free_port()}")
        self.addCleanup(gateway.end)
        self.assertTrue(gateway.ready_says("no master"), gateway.readyz())
        # With the groups of KIP-848: a client that does not see them gives up for good.
        self.assertLessEqual({3, 68}, set(api_versions(gateway.kafka)))
        answer = gateway.ask(wire.create_by_metadata("early"))
        # Metadata 1: this broker, which clients would forget otherwise, no controller, one topic without a leader.
        brokers, node, length = struct.unpack_from(">iih", answer, 4)
        host, at = answer[14:14 + length].decode(), 14 + length
        port, rack, controller, topics, error = struct.unpack_from(">ihiih", answer, at)
        self.assertEqual((brokers, node, rack, (host, port)), (1, 1, -1, gateway.kafka))
        self.assertEqual((controller, topics, error), (-1, 1, LEADER_NOT_AVAILABLE))
        answer = gateway.ask(wire.frame(10, 0, wire.text("readers")))
        self.assertEqual(struct.unpack_from(">h", answer, 4)[0], COORDINATOR_NOT_AVAILABLE)
        # A list of all topics that is empty would be believed.
        self.assertIsNone(gateway.ask(wire.frame(3, 1, struct.pack(">i", -1))))
        self.assertIsNone(gateway.ask(wire.create_topic("early", 1)))
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        self.assertEqual(gateway.process.wait(30), 0, gateway.stderr())
        self.assertLess(time.monotonic() - began, 5)
        self.assertNotIn("exit_without_clean_stop", gateway.stderr())

    def test_ttl_on_the_topics_is_a_start_error(self):
        seaweed = FakeSeaweed()
        self.addCleanup(seaweed.close)
        seaweed.tell('put /etc/seaweedfs/filer.conf {"version": 1, "locations": [{"locationPrefix": "/topics/", "ttl": "7d"}]}')
        status, _, err = run("serve", "--engine", "seaweedmq", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                             "--set", f"seaweedmq.masters={seaweed.masters}")
        self.assertEqual(status, 1, err)
        self.assertIn("TTL of 7d on '/topics/'", err.splitlines()[-1])

    def test_missing_volume_server_is_named(self):
        seaweed = FakeSeaweed()
        self.addCleanup(seaweed.close)
        seaweed.tell("kill volume")
        gateway = Gateway(seaweed.masters)
        self.addCleanup(gateway.end)
        self.assertTrue(gateway.ready_says("no volume server"), gateway.readyz())
        seaweed.tell("start volume")
        self.assertTrue(gateway.ready_says("ok", 200), gateway.readyz())

    def test_goes_on_by_itself_when_the_parts_appear(self):
        seaweed = FakeSeaweed()
        self.addCleanup(seaweed.close)
        seaweed.tell("kill filer")
        gateway = Gateway(seaweed.masters)
        self.addCleanup(gateway.end)
        self.assertTrue(gateway.ready_says("no filer"), gateway.readyz())
        seaweed.tell("start filer")
        self.assertTrue(gateway.ready_says("ok", 200), gateway.readyz())
        answer = gateway.ask(wire.create_topic("late", 3))
        self.assertEqual(struct.unpack_from(">h", answer, 4 + 4 + 4 + 2 + 4)[0], 0)
        self.assertIn("path=direct layout=batch fsync=on", gateway.stderr())
        seaweed.tell("kill master")
        self.assertTrue(gateway.ready_says("no master"), gateway.readyz())
        seaweed.tell("start master")
        self.assertTrue(gateway.ready_says("ok", 200), gateway.readyz())
        gateway.process.send_signal(signal.SIGTERM)
        self.assertEqual(gateway.process.wait(30), 0, gateway.stderr())

    def test_restart_after_a_kill_waits_for_nobody_and_a_twin_does(self):
        seaweed = FakeSeaweed()
        self.addCleanup(seaweed.close)
        killed = Gateway(seaweed.masters)
        self.addCleanup(killed.end)
        self.assertTrue(killed.ready_says("ok", 200), killed.readyz())
        twin = Gateway(seaweed.masters)
        self.addCleanup(twin.end)
        self.assertTrue(twin.ready_says("another gateway has node.id 1"), twin.readyz())
        killed.process.kill()
        killed.process.wait()
        self.assertTrue(twin.ready_says("ok", 200), twin.readyz())
        self.assertIn("its process on this machine has ended", twin.stderr())


if __name__ == "__main__":
    unittest_report.main(__name__)
