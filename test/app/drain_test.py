#!/usr/bin/env python3
"""SIGTERM under the load of a real client (kcat, librdkafka): the gateway ends in order, and after its restart on the
same port producers and group members go on as if nothing had been."""
import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "support"), os.path.dirname(__file__)]
import unittest_report
import wire
from daemon_process import Daemon, receive_frame, wait_until

KCAT = shutil.which("kcat")
COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR = 15, 16
RECORDS = 3000
BATCH = 20
HELD_BACK = 300  # lines that kcat keeps until it has 1 KiB of them
RESTART_AT = (800, 1800)


def join_group(group):
    """JoinGroup 1 of a member without an id."""
    protocols = struct.pack(">i", 1) + wire.text("range") + struct.pack(">i", 0)
    return wire.frame(11, 1, wire.text(group) + struct.pack(">ii", 10_000, 60_000) + wire.text("") +
                      wire.text("consumer") + protocols)


def readyz(address):
    connection = http.client.HTTPConnection(*address, timeout=5)
    connection.request("GET", "/readyz")
    response = connection.getresponse()
    return response.status, response.read().decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Consumer:
    """A member of a group: the lines that it has read, in order of their coming."""

    def __init__(self, address, group, topic):
        self.lines = []
        self.process = subprocess.Popen(
            [KCAT, "-E", "-b", address, "-G", group, "-u", "-q", "-X", "auto.offset.reset=earliest",
             "-X", "session.timeout.ms=10000", "-X", "reconnect.backoff.max.ms=500", topic],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(int(line))

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.thread.join()
        self.process.stdout.close()


class Drain(unittest.TestCase):
    def test_who_waits_for_a_group_is_told_to_ask_again(self):
        with Daemon("--set", "group.initial.rebalance.delay.ms=60000", "--set", "drain.timeout.ms=20000") as daemon, \
                socket.create_connection(daemon.kafka, timeout=30) as client:
            client.sendall(join_group("g"))
            joins = 'tidegate_server_requests_in_flight'
            self.assertTrue(wait_until(lambda: self.gauge(daemon, joins) >= 1))
            began = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            error, = struct.unpack_from(">h", receive_frame(client), 4)
            self.assertIn(error, (COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR))
            self.assertEqual(client.recv(1), b"", "closed once it has its answer")
            self.assertEqual(daemon.process.wait(30), 0)
            self.assertLess(time.monotonic() - began, 10, "the drain's bound was not needed")

    def gauge(self, daemon, name):
        connection = http.client.HTTPConnection(*daemon.admin, timeout=5)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith((name + " ", name + "{")))

    def test_not_ready_and_closed_while_what_is_under_way_ends(self):
        """An answer that nobody reads holds the drain."""
        with Daemon("--set", "drain.timeout.ms=60000") as daemon, socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.settimeout(10)
            deaf.connect(daemon.kafka)
            with socket.create_connection(daemon.kafka, timeout=10) as client:
                client.sendall(wire.create_by_metadata("t"))
                receive_frame(client)
                for _ in range(10):
                    client.sendall(wire.produce("t", wire.one_record_batch(b"r" * 900_000)))
                    receive_frame(client)
            deaf.sendall(wire.fetch("t", 0, 50 << 20) * 4)
            self.assertTrue(wait_until(lambda: self.gauge(daemon, "tidegate_server_queued_response_bytes") > 1 << 20))
            daemon.process.send_signal(signal.SIGTERM)
            self.assertTrue(wait_until(lambda: readyz(daemon.admin)[0] == 503))
            self.assertIn("draining", readyz(daemon.admin)[1])

            def refused():
                try:
                    socket.create_connection(daemon.kafka, timeout=5).close()
                    return False
                except ConnectionRefusedError:
                    return True
            self.assertTrue(wait_until(refused))
            self.assertIsNone(daemon.process.poll(), "it still waits for the answers to leave")
            whole = 0
            while part := deaf.recv(1 << 20):
                whole += len(part)
            self.assertGreater(whole, 9 * 900_000, "what was read is answered whole")
            self.assertEqual(daemon.process.wait(30), 0)

    @unittest.skipUnless(KCAT, "kcat is not installed")
    def test_restarts_under_load_lose_nothing_and_repeat_nothing(self):
        port = free_port()
        address = f"127.0.0.1:{port}"
        settings = ("--set", "group.initial.rebalance.delay.ms=0")
        daemon, producer, consumers = None, None, []
        with tempfile.TemporaryDirectory() as place:
            try:
                daemon = Daemon(*settings, data_dir=place, kafka=address).__enter__()
                with socket.create_connection(daemon.kafka, timeout=10) as client:
                    client.sendall(wire.create_topic("t", 3))
                    receive_frame(client)
                consumers = [Consumer(address, "g", "t") for _ in range(2)]
                producer = subprocess.Popen(
                    [KCAT, "-E", "-P", "-b", address, "-t", "t", "-X", "enable.idempotence=true", "-X", "linger.ms=5",
                     "-X", "reconnect.backoff.max.ms=500"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                for number in range(RECORDS):
                    producer.stdin.write(f"{number}\n")
                    if number % BATCH == 0:
                        producer.stdin.flush()
                    if number in RESTART_AT:
                        producer.stdin.flush()
                        read = lambda: sum(len(each.lines) for each in consumers)
                        self.assertTrue(wait_until(lambda: read() >= number - HELD_BACK, 60), read())
                        began = time.monotonic()
                        self.assertEqual(daemon.stop(), 0)
                        self.assertLess(time.monotonic() - began, 5)
                        told = daemon.stderr()
                        self.assertNotIn("did not finish in time", told)
                        self.assertNotIn("exit_without_clean_stop", told)
                        daemon.__exit__()
                        daemon = Daemon(*settings, data_dir=place, kafka=address).__enter__()
                producer.stdin.close()
                self.assertEqual(producer.wait(60), 0, "everything was acknowledged")
                seen = lambda: {line for each in consumers for line in each.lines}
                self.assertTrue(wait_until(lambda: len(seen()) == RECORDS, 60), len(seen()))
                dump = subprocess.run([KCAT, "-C", "-b", address, "-t", "t", "-e", "-q", "-o", "beginning"],
                                      capture_output=True, text=True, timeout=60, check=True)
                self.assertEqual(sorted(map(int, dump.stdout.split())), list(range(RECORDS)), "each of them once")
                self.assertEqual(daemon.stop(), 0)
            finally:
                for each in consumers:
                    each.close()
                if producer and producer.poll() is None:
                    producer.kill()
                    producer.wait()
                if daemon:
                    daemon.__exit__()


if __name__ == "__main__":
    unittest_report.main(__name__)
