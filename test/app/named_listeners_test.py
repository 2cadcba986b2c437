#!/usr/bin/env python3
"""Several named listeners: each answer gives the addresses of the listener that the request came in by, of this
gateway and of the others."""
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "support"), os.path.dirname(__file__)]
import unittest_report
import wire
from daemon_process import BINARY, Daemon, clean_environment, receive_frame, wait_until
from seaweedmq_start_test import FakeSeaweed


def address_of(told):
    host, port = told.rsplit(":", 1)
    return host.strip("[]"), int(port)


def ask(address, frame):
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(frame)
        return receive_frame(client)


class Answer:
    """Reads an answer from its front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return values[0]

    def text(self, compact=False):
        size = self.take("B") - 1 if compact else self.take("h")
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at].decode()


def metadata(address):
    """{node: (host, port)} by Metadata 1 without topics."""
    answer = Answer(ask(address, wire.frame(3, 1, struct.pack(">i", 0))))
    answer.take("i")
    brokers = {}
    for _ in range(answer.take("i")):
        node, host, port = answer.take("i"), answer.text(), answer.take("i")
        answer.text()
        brokers[node] = (host, port)
    return brokers


def coordinator(address, group):
    """(host, port) by FindCoordinator 1."""
    answer = Answer(ask(address, wire.frame(10, 1, wire.text(group) + b"\0")))
    answer.take("i"), answer.take("i")
    error = answer.take("h")
    answer.text()
    node, host = answer.take("i"), answer.text()
    return error, node, (host, answer.take("i"))


def cluster(address):
    """{node: (host, port)} by DescribeCluster 0, which is flexible: no tags."""
    message = struct.pack(">hhih", 60, 0, 1, -1) + b"\0" + b"\0" + b"\0"
    answer = Answer(ask(address, struct.pack(">i", len(message)) + message))
    answer.take("i"), answer.take("B"), answer.take("i"), answer.take("h")
    answer.text(compact=True), answer.text(compact=True), answer.take("i")
    brokers = {}
    for _ in range(answer.take("B") - 1):
        node, host, port = answer.take("i"), answer.text(compact=True), answer.take("i")
        answer.text(compact=True), answer.take("B")
        brokers[node] = (host, port)
    return brokers


class OneGateway(unittest.TestCase):
    def test_each_listener_gives_its_own_address(self):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "server.properties")
            with open(path, "w", encoding="utf-8") as file:
                file.write("listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT,SIX:PLAINTEXT\n"
                           "advertised.listeners=INTERNAL://gateway.internal:19092,EXTERNAL://gateway.example:29092\n")
            with Daemon("--config", path, "--listen", "EXTERNAL://127.0.0.1:0", "--listen", "SIX://[::1]:0",
                        kafka="INTERNAL://[::]:0") as daemon:
                told = {name: address_of(text) for name, text in daemon.ready["listeners"].items()}
                self.assertEqual(told["INTERNAL"], ("gateway.internal", 19092), "a wildcard is no address")
                self.assertEqual(told["SIX"][0], "::1")
                expected = {"EXTERNAL": ("gateway.example", 29092), "SIX": told["SIX"]}
                for name, advertised in expected.items():
                    self.assertEqual(metadata(told[name]), {1: advertised})
                    self.assertEqual(cluster(told[name]), {1: advertised})
                    self.assertEqual(coordinator(told[name], "g"), (0, 1, advertised))

    def test_a_wildcard_of_ipv6_takes_both_families(self):
        with Daemon("--advertise", "127.0.0.1:0", kafka="[::]:0") as daemon:
            port = daemon.kafka[1]
            for host in ("127.0.0.1", "::1"):
                self.assertEqual(metadata((host, port)), {1: ("127.0.0.1", port)})


class TwoGateways(unittest.TestCase):
    def start(self, masters, node):
        process = subprocess.Popen(
            [BINARY, "serve", "--engine", "seaweedmq", "--set", f"seaweedmq.masters={masters}", "--admin", "127.0.0.1:0",
             "--set", f"node.id={node}", "--ready-json", "--listen", "IN://127.0.0.1:0", "--listen", "OUT://127.0.0.1:0",
             "--advertise", f"IN://in-{node}.internal:9{node}", "--advertise", f"OUT://out-{node}.example:8{node}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=clean_environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.assertTrue(select.select([process.stdout], [], [], 60)[0], "not ready")
        ready = json.loads(process.stdout.readline())
        return {name: address_of(text) for name, text in ready["listeners"].items()}

    def test_the_others_addresses_are_those_of_the_same_listener(self):
        seaweed = FakeSeaweed()
        self.addCleanup(seaweed.close)
        first, second = self.start(seaweed.masters, 1), self.start(seaweed.masters, 2)
        expected = {"IN": {1: ("in-1.internal", 91), 2: ("in-2.internal", 92)},
                    "OUT": {1: ("out-1.example", 81), 2: ("out-2.example", 82)}}
        for gateway in (first, second):
            for name, brokers in expected.items():
                self.assertTrue(wait_until(lambda: metadata(gateway[name]) == brokers, 30), metadata(gateway[name]))
                self.assertEqual(cluster(gateway[name]), brokers)
        for i in range(8):  # groups of both nodes
            owners = set()
            for name, brokers in expected.items():
                self.assertTrue(wait_until(lambda: coordinator(first[name], f"group-{i}")[0] == 0, 30))
                _, node, address = coordinator(first[name], f"group-{i}")
                self.assertEqual(address, brokers[node])
                owners.add(node)
            self.assertEqual(len(owners), 1)


if __name__ == "__main__":
    unittest_report.main(__name__)
