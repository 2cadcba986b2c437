#!/usr/bin/env python3
"""The daemon as a process: what it prints, how it starts, refuses to start, and stops."""
import http.client
import json
import os
import pty
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
from daemon_process import BINARY, Daemon, api_versions, clean_environment, receive_frame, run, wait_until
import hung_disk
import wire

RECORDS = 10
BATCH = wire.one_record_batch(b"r" * 900_000)
ANSWERS_UNREAD = 4

# What the file of a KRaft cluster's node carries.
KAFKAS_FILE = """\
# one node
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
log.dirs=/tmp/kafka-logs
num.network.threads=3
num.io.threads=8
num.partitions=3
default.replication.factor=3
log.retention.hours=\\
    24
replica.lag.time.max.ms=30000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
"""


def get(address, path):
    connection = http.client.HTTPConnection(*address, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode()


def metric(daemon, name):
    return float(next(line for line in get(daemon.admin, "/metrics")[1].splitlines()
                      if line.startswith(name + " ")).split()[1])


class Commands(unittest.TestCase):
    def test_version_prints_one_line(self):
        for word in ("version", "--version"):
            status, out, _ = run(word)
            self.assertEqual(status, 0)
            self.assertRegex(out, r"^tidegate \d+\.\d+\.\d+\n$")

    def test_help_lists_every_setting(self):
        status, out, _ = run("serve", "--help")
        self.assertEqual(status, 0)
        for word in ("--listen", "--advertise", "--ready-json", "num.partitions", "storage.flush", "message.max.bytes"):
            self.assertIn(word, out)

    def test_usage_errors_exit_2(self):
        self.assertEqual(run()[0], 2)
        self.assertEqual(run("sevre")[0], 2)
        self.assertEqual(run("serve", "--no-such-option")[0], 2)

    def test_groups_plan_prints_an_assignment(self):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "plan.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write('{"topics": {"t": 2}, "members": [{"id": "a", "topics": ["t"]}]}')
            status, out, _ = run("groups", "plan", path)
            self.assertEqual((status, json.loads(out)["assignment"]), (0, {"a": {"t": [0, 1]}}))
            with open(path, "w", encoding="utf-8") as file:
                file.write("{}")
            status, out, err = run("groups", "plan", path)
            self.assertEqual((status, out, err.count("\n")), (1, "", 1))
            self.assertEqual(run("groups", "plan", os.path.join(place, "nothing"))[0], 1)
        self.assertEqual(run("groups", "plan")[0], 2)

    def test_config_prints_values_with_their_sources(self):
        status, out, _ = run("config", "--set", "num.partitions=7", environment={"TIDEGATE_MESSAGE_MAX_BYTES": "5000"})
        self.assertEqual(status, 0)
        self.assertIn("num.partitions=7  # command line", out)
        self.assertIn("message.max.bytes=5000  # environment", out)
        self.assertIn("auto.create.topics.enable=true  # default", out)

    def test_config_check_tells_good_from_bad(self):
        with tempfile.TemporaryDirectory() as place:
            good, bad = os.path.join(place, "good.yaml"), os.path.join(place, "server.properties")
            with open(good, "w") as file:
                file.write("num.partitions: 3\nlog:\n  retention:\n    ms: 1000\n")
            with open(bad, "w") as file:
                file.write("num.partitions=3\nnum.partitons=4\n")
            self.assertEqual(run("config", "--check", good)[0], 0)
            status, _, err = run("config", "--check", bad)
            self.assertEqual(status, 1)
            self.assertIn("server.properties:2", err)
            self.assertIn("num.partitions", err)
            status, _, err = run("config", "--check", place)
            self.assertEqual(status, 1)
            self.assertIn("is a directory", err)

    def test_a_server_properties_of_kafka_is_accepted_with_one_warning(self):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "server.properties")
            with open(path, "w") as file:
                file.write(KAFKAS_FILE)
            status, out, err = run("config", "--check", path)
            self.assertEqual((status, out), (0, f"{path}: good\n"), err)
            self.assertEqual(err.count("\n"), 1, err)
            for name in ("process.roles", "num.io.threads", "replica.lag.time.max.ms"):
                self.assertIn(name, err)
            self.assertTrue(err.endswith("nobody is kept out by authorizer.class.name\n"), err)
            status, out, _ = run("config", "--config", path, "--print",
                                 environment={"KAFKA_LOG_RETENTION_MS": "5000", "KAFKA_NODE_ID": "4",
                                              "TIDEGATE_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO": "me:secret"})
            self.assertEqual(status, 0)
            lines = out.splitlines()
            self.assertIn(f"log.dirs=/tmp/kafka-logs  # file {path}:10", lines)
            self.assertIn("log.retention.ms=5000  # environment KAFKA_LOG_RETENTION_MS", lines)
            self.assertIn("node.id=4  # environment KAFKA_NODE_ID", lines)
            self.assertIn(f"# replica.lag.time.max.ms has no effect here: {path}:17", lines)
            self.assertNotIn("secret", out)
            with Daemon("--config", path, environment={"TIDEGATE_LISTENERS": "nonsense"}) as daemon:
                self.assertEqual(set(daemon.ready["listeners"]), {"PLAINTEXT"})
                daemon.stop()
                self.assertEqual(daemon.stderr().count("have no effect here"), 1, daemon.stderr())

    def test_health_without_a_daemon_exits_1(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            status, _, err = run("health", "--admin", f"127.0.0.1:{free.getsockname()[1]}")
        self.assertEqual(status, 1)
        self.assertEqual(err.count("\n"), 1)


class RefusedStarts(unittest.TestCase):
    """Each is one clear line on standard error and a non-zero exit."""

    def refused(self, expected, *options, data_dir=None, admin="127.0.0.1:0"):
        with tempfile.TemporaryDirectory() as place:
            status, out, err = run("serve", "--data-dir", data_dir or os.path.join(place, "data"), "--admin", admin,
                                   *options)
        self.assertEqual(status, 1, err)
        self.assertEqual(out, "")
        told = [line for line in err.splitlines() if "event=engine_started" not in line]
        self.assertEqual(len(told), 1, err)
        self.assertIn(expected, told[0])

    def test_kafka_port_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.refused(str(port), "--listen", f"127.0.0.1:{port}")

    def test_admin_port_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.refused(str(port), "--listen", "127.0.0.1:0", admin=f"127.0.0.1:{port}")

    def test_bad_address(self):
        self.refused("HOST:PORT", "--listen", "nonsense")
        self.refused("203.0.113.1", "--listen", "203.0.113.1:0")

    def test_wildcard_without_advertise_names_the_option(self):
        self.refused("--advertise", "--listen", "0.0.0.0:0")

    def test_unknown_setting_suggests_the_nearest(self):
        self.refused("num.partitions", "--set", "num.partitins=2")

    def test_value_out_of_range(self):
        self.refused("num.partitions", "--set", "num.partitions=0")

    def test_data_directory_that_cannot_be_made(self):
        with tempfile.NamedTemporaryFile() as file:
            self.refused(file.name, "--listen", "127.0.0.1:0", data_dir=os.path.join(file.name, "data"))

    def test_second_process_on_one_data_directory(self):
        with Daemon() as daemon:
            self.refused(daemon.data_dir, "--listen", "127.0.0.1:0", data_dir=daemon.data_dir)
            self.assertTrue(api_versions(daemon.kafka), "the first one goes on")

    def test_missing_config_file(self):
        self.refused("absent.yaml", "--config", "absent.yaml")


class Life(unittest.TestCase):
    def test_ready_line_tells_the_real_ports(self):
        for engine in ("embedded", "memory"):
            with Daemon(engine=engine) as daemon:
                self.assertIs(daemon.ready["ready"], True)
                self.assertEqual(daemon.ready["listeners"], {"PLAINTEXT": daemon.ready["kafka"]})
                self.assertGreater(daemon.kafka[1], 0)
                self.assertIn(18, api_versions(daemon.kafka))

    def test_several_listeners_and_ipv6(self):
        with Daemon("--listen", "SIX://[::1]:0") as daemon:
            self.assertEqual(set(daemon.ready["listeners"]), {"PLAINTEXT", "SIX"})
            host, port = daemon.ready["listeners"]["SIX"].rsplit(":", 1)
            self.assertIn(18, api_versions((host.strip("[]"), int(port))))

    def test_health_and_metrics(self):
        with Daemon() as daemon:
            for path in ("/healthz", "/livez", "/readyz"):
                self.assertEqual(get(daemon.admin, path), (200, "ok\n"))
            api_versions(daemon.kafka)
            status, text = get(daemon.admin, "/metrics")
            self.assertEqual(status, 200)
            self.assertIn("tidegate_build_info{", text)
            self.assertRegex(text, r'tidegate_server_requests_total\{[^}]*ApiVersions[^}]*\} [1-9]')
            self.assertEqual(get(daemon.admin, "/nothing")[0], 404)
            status, out, _ = run("health", "--admin", "{}:{}".format(*daemon.admin))
            self.assertEqual((status, out), (0, "ok\n"))

    def test_health_asks_the_admin_listener_of_the_settings(self):
        with Daemon(admin="0.0.0.0:0") as daemon, tempfile.NamedTemporaryFile("w", suffix=".properties") as file, \
                socket.socket() as other:
            other.bind(("127.0.0.1", 0))  # nobody listens there
            file.write(f"admin.listen=127.0.0.1:{other.getsockname()[1]}\n")
            file.flush()
            there = {"TIDEGATE_ADMIN_LISTEN": f"0.0.0.0:{daemon.admin[1]}"}
            self.assertEqual(run("health", environment=there)[:2], (0, "ok\n"))
            self.assertEqual(run("health", "--config", file.name)[0], 1)
            self.assertEqual(run("health", "--config", file.name, environment=there)[:2], (0, "ok\n"))

    def test_open_listener_warns(self):
        with Daemon("--advertise", "127.0.0.1:0", kafka="0.0.0.0:0") as daemon:
            host, port = daemon.kafka
            self.assertEqual(host, "127.0.0.1", "a wildcard is no address to connect to")
            self.assertIn(18, api_versions((host, port)))
            daemon.stop()
            self.assertIn(f"0.0.0.0:{port} is open to anyone", daemon.stderr())
            self.assertEqual(daemon.stderr().count("open to anyone"), 1, "the admin endpoint is on loopback")

    def test_open_admin_endpoint_warns(self):
        with Daemon(admin="0.0.0.0:0") as daemon:
            daemon.stop()
            self.assertRegex(daemon.stderr(), r"admin=0\.0\.0\.0:[1-9]\d* is open to anyone")

    def test_unknown_environment_name_warns(self):
        with Daemon(environment={"TIDEGATE_NUM_PARTITION": "3"}) as daemon:
            daemon.stop()
            self.assertIn("Did you mean TIDEGATE_NUM_PARTITIONS?", daemon.stderr())

    def test_sigterm_exits_0_within_5_seconds_with_clients_connected(self):
        with Daemon() as daemon, socket.create_connection(daemon.kafka):
            began = time.monotonic()
            self.assertEqual(daemon.stop(signal.SIGTERM), 0)
            self.assertLess(time.monotonic() - began, 5)

    def test_sigterm_while_starting_stops_cleanly(self):
        for _ in range(3):
            with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile(mode="w+") as log:
                command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data-dir", place]
                with subprocess.Popen(command, stderr=log, env=clean_environment()) as process:
                    # Made by the start itself: signals are watched by then, and the engine has only begun.
                    self.assertTrue(wait_until(lambda: os.path.exists(os.path.join(place, "LOCK"))))
                    process.send_signal(signal.SIGTERM)
                    status = process.wait(30)
                log.seek(0)
                told = log.read()
                self.assertEqual(status, 0, told)
                self.assertNotIn("exit_without_clean_stop", told)

    def test_second_sigterm_exits_at_once_and_loses_nothing(self):
        """Answers that nobody reads hold the drain, which may take a minute: the second signal does not wait."""
        with tempfile.TemporaryDirectory() as place:
            with Daemon("--set", "drain.timeout.ms=60000", data_dir=place) as daemon, \
                    socket.socket() as deaf:
                # The kernel is not to take the answers in for it.
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.settimeout(10)
                deaf.connect(daemon.kafka)
                with socket.create_connection(daemon.kafka, timeout=10) as client:
                    client.sendall(wire.create_by_metadata("kept"))
                    receive_frame(client)
                    for offset in range(RECORDS):
                        client.sendall(wire.produce("kept", BATCH))
                        self.assertEqual(wire.produced(receive_frame(client)), (0, offset))
                deaf.sendall(wire.fetch("kept", 0, 50 << 20) * ANSWERS_UNREAD)
                held = "tidegate_server_queued_response_bytes"
                self.assertTrue(wait_until(lambda: metric(daemon, held) > 1 << 20))
                daemon.process.send_signal(signal.SIGTERM)
                self.assertTrue(wait_until(lambda: get(daemon.admin, "/readyz")[0] == 503))
                with self.assertRaises(subprocess.TimeoutExpired):
                    daemon.process.wait(1.5)  # more than the drain of a daemon with nothing to do takes
                began = time.monotonic()
                daemon.process.send_signal(signal.SIGTERM)
                daemon.process.wait(30)
                self.assertLess(time.monotonic() - began, 1)
                self.assertIn("second signal", daemon.stderr())
            with Daemon(data_dir=place) as again, socket.create_connection(again.kafka, timeout=10) as client:
                for offset in range(RECORDS):
                    client.sendall(wire.fetch("kept", offset, 1))
                    error, end, batch = wire.fetched(receive_frame(client))
                    self.assertEqual((error, end), (0, RECORDS))
                    self.assertEqual(struct.unpack_from(">q", batch), (offset,))
                    self.assertEqual(wire.without_place(batch), wire.without_place(BATCH))

    def test_sigterm_exits_0_within_5_seconds_although_the_disk_hangs(self):
        with tempfile.TemporaryDirectory() as place:
            disk = hung_disk.HungDisk(place)
            with Daemon(environment=disk.environment) as daemon, socket.create_connection(daemon.kafka) as client:
                client.settimeout(10)
                client.sendall(wire.create_by_metadata("hung"))
                receive_frame(client)
                client.sendall(wire.produce("hung"))
                self.assertEqual(wire.produced(receive_frame(client)), (0, 0), "the disk does not hang yet")
                disk.hang()
                client.sendall(wire.produce("hung"))
                in_flight = "tidegate_broker_appends_in_flight 1"
                self.assertTrue(wait_until(lambda: in_flight in get(daemon.admin, "/metrics")[1]))
                began = time.monotonic()
                self.assertEqual(daemon.stop(signal.SIGTERM), 0)
                self.assertLess(time.monotonic() - began, 5)
                told = daemon.stderr()
                self.assertIn("event=appends_abandoned topic=hung partition=0 appends=1", told)
                self.assertIn("event=storage_hangs_at_stop appends=1", told)
                self.assertEqual(client.recv(1), b"", "what is not durable was not acknowledged")

    def test_log_lines_are_json_unless_a_terminal_shows_them(self):
        for form in ("json", "auto"):
            with Daemon("--log-format", form) as daemon:
                daemon.stop()
                lines = [json.loads(line) for line in daemon.stderr().splitlines()]
                self.assertTrue(any(line["msg"].startswith("ready ") for line in lines), lines)
                started = next(line for line in lines if line.get("event") == "engine_started")
                self.assertTrue(started["msg"].startswith("event=engine_started "), started)
                self.assertEqual(started["level"], "info")
        ours, terminal = pty.openpty()
        with subprocess.Popen([BINARY, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--engine", "memory"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=terminal,
                              env=clean_environment()) as process:
            os.close(terminal)
            told = b""
            while b"ready " not in told:
                told += os.read(ours, 4096)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30), 0)
        os.close(ours)
        self.assertNotIn(b'{"', told)

    def test_a_restart_keeps_the_cluster_id_and_the_data_directory(self):
        with tempfile.TemporaryDirectory() as place:
            for _ in range(2):
                with Daemon(data_dir=place) as daemon:
                    self.assertTrue(api_versions(daemon.kafka))
                    self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest_report.main(__name__)
