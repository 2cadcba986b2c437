#!/usr/bin/env python3
"""tidegate offsets import against a running daemon: what it commits is what OffsetFetch then answers."""
import json
import os
import shutil
import signal
import socket
import struct
import sys
import tempfile
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "support"), os.path.dirname(__file__)]
import unittest_report
from daemon_process import Daemon, receive_frame, run, wait_until
import wire


COORDINATOR_LOAD_IN_PROGRESS = 14


class Import(unittest.TestCase):
    """One daemon for all cases; each has groups of its own."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(Daemon("--set", "num.partitions=3"))

    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="tidegate-import-")
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.use(self.daemon)

    def use(self, daemon):
        self.daemon = daemon
        self.connection = self.enterContext(socket.create_connection(daemon.kafka, timeout=30))
        for topic in ("orders", "bills"):
            self.ask(wire.create_by_metadata(topic))

    def ask(self, request):
        self.connection.sendall(request)
        return receive_frame(self.connection)

    def write(self, path, content):
        path = os.path.join(self.place, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def position(self, root, group, topic, partition, offset, **more):
        self.write(f"{root}/consumer_offsets/{group}/{topic}/{partition}/offset",
                   json.dumps({"type": "offset", "value": offset, **more}))

    def tool(self, *arguments):
        host, port = self.daemon.kafka
        return run("offsets", "import", "--bootstrap", f"{host}:{port}", *arguments, timeout=60)

    def fetched(self, group, topic, partitions=(0, 1, 2)):
        """{partition: (offset, metadata)}, once the group is loaded."""
        found = {}

        def loaded():
            found.update(wire.offsets_fetched(self.ask(wire.offset_fetch(group, topic, partitions))))
            return not any(error == COORDINATOR_LOAD_IN_PROGRESS for error, _, _ in found.values())

        self.assertTrue(wait_until(loaded, 30))
        self.assertEqual({error for error, _, _ in found.values()}, {0})
        return {partition: (offset, metadata) for partition, (_, offset, metadata) in found.items()}

    def offsets(self, group, topic):
        return {partition: offset for partition, (offset, _) in self.fetched(group, topic).items() if offset >= 0}

    def commit(self, group, topic, offsets):
        errors = wire.offsets_committed(self.ask(wire.offset_commit(group, topic, offsets)))
        self.assertEqual(set(errors.values()), {0}, errors)

    def test_positions_and_their_metadata_are_served_and_survive_a_crash(self):
        self.position("weed", "p1", "orders", 0, 5, committed_at=1_764_000_000_000, metadata="by hand")
        self.position("weed", "p1", "orders", 2, 0)
        self.position("weed", "p1", "bills", 1, 2 ** 62)
        self.position("weed", "team/p2", "orders", 1, 7)

        def check():
            self.assertEqual(self.fetched("p1", "orders"), {0: (5, "by hand"), 1: (-1, ""), 2: (0, "")})
            self.assertEqual(self.offsets("p1", "bills"), {1: 2 ** 62})
            self.assertEqual(self.offsets("team/p2", "orders"), {1: 7})

        data_dir = os.path.join(self.place, "data")
        with Daemon("--set", "num.partitions=3", data_dir=data_dir) as daemon:
            self.use(daemon)
            status, out, err = self.tool(os.path.join(self.place, "weed"))
            self.assertEqual((status, err), (0, ""))
            self.assertIn("4 offsets imported, 0 kept", out)
            check()
            daemon.stop(signal.SIGKILL)
        with Daemon(data_dir=data_dir) as daemon:
            self.use(daemon)
            check()

    def test_older_files_of_eight_bytes(self):
        self.write("kafka/orders/0001-0001/older.offset", struct.pack(">q", 300))
        self.write("kafka/bills/v2025-09-01-10-11-12/0002-0002/older.offset", struct.pack(">q", 4))
        status, _, err = self.tool(os.path.join(self.place, "kafka"))
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(self.offsets("older", "orders"), {1: 300})
        self.assertEqual(self.offsets("older", "bills"), {2: 4})

    def test_what_a_group_committed_comes_round_through_each_format(self):
        kept = {0: 1, 1: 258, 2: 2 ** 40 + 3}
        self.commit("source", "orders", kept)
        for partition, (offset, metadata) in self.fetched("source", "orders").items():
            self.position("json", "from-json", "orders", partition, offset, metadata=metadata)
            self.write(f"bytes/orders/{partition:04}-{partition:04}/from-bytes.offset", struct.pack(">q", offset))
        listed = self.write("keys", "".join(f"orders:{p} {o}\n" for p, o in self.offsets("source", "orders").items()))
        for arguments in ([os.path.join(self.place, "json")], [os.path.join(self.place, "bytes")],
                          [listed, "--group", "from-list"]):
            status, _, err = self.tool(*arguments)
            self.assertEqual((status, err), (0, ""))
        for group in ("from-json", "from-bytes", "from-list"):
            self.assertEqual(self.offsets(group, "orders"), kept, group)

    def test_dry_run_commits_nothing_and_needs_no_gateway(self):
        listed = self.write("keys", "orders:0 12\norders:1 13\n")
        status, out, _ = run("offsets", "import", "--dry-run", "--group", "dry", "--bootstrap", "127.0.0.1:1", listed)
        self.assertEqual(status, 0)
        self.assertEqual(out, "dry\torders\t0\t12\ndry\torders\t1\t13\n2 offsets of 1 groups would be imported\n")
        status, _, _ = self.tool("--dry-run", "--group", "dry", listed)
        self.assertEqual(status, 0)
        self.assertEqual(self.offsets("dry", "orders"), {})

    def test_no_committed_offset_goes_back_unless_told(self):
        self.commit("ahead", "orders", {0: 100})
        listed = self.write("keys", "orders:0 12\norders:1 13\n")
        status, out, _ = self.tool("--group", "ahead", listed)
        self.assertEqual(status, 0)
        self.assertIn("1 offsets imported, 1 kept", out)
        self.assertEqual(self.offsets("ahead", "orders"), {0: 100, 1: 13})
        status, out, _ = self.tool("--group", "ahead", "--overwrite", listed)
        self.assertEqual(status, 0)
        self.assertIn("2 offsets imported, 0 kept", out)
        self.assertEqual(self.offsets("ahead", "orders"), {0: 12, 1: 13})

    def test_one_bad_key_stops_all(self):
        listed = self.write("keys", "orders:0 12\norders:-1 13\n:1 1\norders 2\norders:x 3\n")
        status, out, err = self.tool("--group", "bad", listed)
        self.assertEqual((status, out), (1, ""))
        for words in (":2: key 'orders:-1'", ":3: key ':1' has an empty topic", ":4: key 'orders' has no colon",
                      ":5: key 'orders:x'", "nothing was imported"):
            self.assertIn(words, err)
        self.assertEqual(self.offsets("bad", "orders"), {})

    def test_partition_that_does_not_exist_is_named_and_the_rest_is_imported(self):
        listed = self.write("keys", "orders:1 12\norders:3 13\na:b:0 14\n")
        status, out, err = self.tool("--group", "some", listed)
        self.assertEqual(status, 1)
        self.assertIn("1 offsets imported", out)
        self.assertIn("group some, orders:3: UNKNOWN_TOPIC_OR_PARTITION", err)
        self.assertIn("group some, a:b:0: UNKNOWN_TOPIC_OR_PARTITION", err)
        self.assertEqual(self.offsets("some", "orders"), {1: 12})

    def test_group_with_members_is_left_alone(self):
        reader = wire.Reader(self.ask(wire.join_group("live")))
        self.assertEqual(reader.take("h"), 0)
        status, out, err = self.tool("--group", "live", self.write("keys", "orders:1 12\n"))
        self.assertEqual(status, 1)
        self.assertIn("0 offsets imported", out)
        self.assertIn("UNKNOWN_MEMBER_ID", err)
        self.assertEqual(self.offsets("live", "orders"), {})

    def test_many_offsets_go_in_several_requests(self):
        count = 2500  # a request of the tool holds 1,000
        self.ask(wire.create_topic("wide", count))
        listed = self.write("keys", "".join(f"wide:{partition}={partition * 2}\n" for partition in range(count)))
        status, out, err = self.tool("--group", "many", listed)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("2500 offsets imported", out)
        found = self.fetched("many", "wide", range(count))
        self.assertEqual({p: offset for p, (offset, _) in found.items()}, {p: p * 2 for p in range(count)})

    def test_mistakes_of_the_command_line(self):
        listed = self.write("keys", "orders:1 12\n")
        self.assertIn("--group", self.tool(listed)[2])
        self.assertIn("--group", self.tool("--group", "", listed)[2])
        self.assertEqual(run("offsets")[0], 2)
        self.assertEqual(run("offsets", "import")[0], 2)
        status, _, err = run("offsets", "import", "--group", "g", "--bootstrap", "nowhere", listed)
        self.assertEqual(status, 1)
        self.assertIn("--bootstrap", err)
        self.assertIn("no such file", self.tool("--group", "g", os.path.join(self.place, "absent"))[2])


if __name__ == "__main__":
    unittest_report.main(__name__)
