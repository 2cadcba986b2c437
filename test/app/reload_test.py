#!/usr/bin/env python3
"""SIGHUP and POST /config/reload: what takes effect, what needs a restart, what is refused."""
import fcntl
import http.client
import http.server
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "support"), os.path.dirname(__file__)]
import unittest_report
from daemon_process import BINARY, Daemon, api_versions, clean_environment, wait_until


def ask(address, method, path, headers=None, body=None):
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    return response.status, response.read().decode()


def reloads(daemon, result):
    name = f'tidegate_config_reloads_total{{result="{result}"}} '
    lines = [line for line in ask(daemon.admin, "GET", "/metrics")[1].splitlines() if line.startswith(name)]
    return float(lines[0].split()[-1]) if lines else 0


def is_served(address):
    try:
        return 18 in api_versions(address)
    except OSError:
        return False


class Registry:
    """Counts the requests of each user; knows no schema."""

    def __init__(self):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.headers.get("Authorization"))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"[]")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Reload(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.place.name, "server.properties")
        self.addCleanup(self.place.cleanup)

    def write(self, **settings):
        with open(self.path, "w", encoding="utf-8") as file:
            for name, value in settings.items():
                file.write(f"{name.replace('_', '.')}={value}\n")

    def hang_up(self, daemon, result="reloaded"):
        before = reloads(daemon, result)
        daemon.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_until(lambda: reloads(daemon, result) > before), daemon.stderr())

    def test_limits_and_log_level_take_effect(self):
        self.write(max_connections=1, log_level="warn")
        with Daemon("--config", self.path) as daemon:
            with socket.create_connection(daemon.kafka):
                self.assertTrue(wait_until(lambda: not is_served(daemon.kafka)))
                self.write(max_connections=8, log_level="info")
                self.hang_up(daemon)
                self.assertTrue(is_served(daemon.kafka))
            self.assertIn('event=config_reloaded reason=SIGHUP changed="max.connections,log.level"', daemon.stderr())
            self.assertEqual(daemon.stop(), 0)

    def test_other_settings_need_a_restart(self):
        self.write(num_partitions=1, max_connections=10)
        with Daemon("--config", self.path) as daemon:
            self.write(num_partitions=2, max_connections=20)
            status, page = ask(daemon.admin, "POST", "/config/reload")
            self.assertEqual(status, 200)
            self.assertEqual(json.loads(page), {"reloaded": ["max.connections"], "needs_restart": ["num.partitions"]})
            self.assertEqual(daemon.stderr().count('event=config_needs_restart settings="num.partitions"'), 1)

    def test_a_bad_file_changes_nothing(self):
        self.write(max_connections=1)
        with Daemon("--config", self.path) as daemon:
            with socket.create_connection(daemon.kafka):
                for bad in ({"max_connections": 9, "num_partitions": "many"}, {"max_connections": 9, "no_such": 1},
                            {"max_connections": 9, "message_max_bytes": 200000000}):
                    self.write(**bad)
                    self.hang_up(daemon, "refused")
                    self.assertFalse(is_served(daemon.kafka), "the limit is still 1")
                status, page = ask(daemon.admin, "POST", "/config/reload")
                self.assertEqual(status, 422)
                self.assertIn("message.max.bytes", json.loads(page)["error"])
                os.remove(self.path)
                self.assertEqual(ask(daemon.admin, "POST", "/config/reload")[0], 422)
            told = daemon.stderr()
            self.assertIn("event=config_reload_refused reason=SIGHUP", told)
            self.assertIn("server.properties:2", told)
            self.assertEqual(reloads(daemon, "reloaded"), 0)

    def test_stronger_sources_go_on_to_win(self):
        self.write(max_connections=1)
        with Daemon("--config", self.path, "--set", "max.connections=7",
                    environment={"KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false"}) as daemon:
            self.write(max_connections=2, auto_create_topics_enable="true")
            status, page = ask(daemon.admin, "POST", "/config/reload")
            self.assertEqual((status, json.loads(page)), (200, {"reloaded": [], "needs_restart": []}))

    def test_the_registry_is_asked_elsewhere_and_as_another_user(self):
        one, other = Registry(), Registry()
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        interval = {"schema_registry_subjects_refresh_ms": 1000}
        self.write(schema_registry_url=one.url, schema_registry_basic_auth_user_info="a:b", **interval)
        with Daemon("--config", self.path) as daemon:
            self.assertTrue(wait_until(lambda: one.asked))
            self.assertEqual(other.asked, [])
            self.write(schema_registry_url=other.url, schema_registry_basic_auth_user_info="c:d", **interval)
            self.hang_up(daemon)
            self.assertTrue(wait_until(lambda: other.asked))
            self.assertEqual(set(one.asked + other.asked), {"Basic YTpi", "Basic Yzpk"})
            self.assertNotIn("c:d", daemon.stderr())
            self.write(**interval)
            page = json.loads(ask(daemon.admin, "POST", "/config/reload")[1])
            self.assertIn("schema.registry.url", page["needs_restart"])
            self.assertEqual(daemon.stop(), 0)

    def test_the_end_of_its_terminal_is_no_reload(self):
        ours, terminal = pty.openpty()
        with tempfile.TemporaryFile(mode="w+") as log:
            command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--engine", "memory",
                       "--ready-json"]

            def take_terminal():
                os.setsid()
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            with subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE, stderr=log, text=True,
                                  env=clean_environment(), preexec_fn=take_terminal) as process:
                os.close(terminal)
                try:
                    self.assertTrue(json.loads(process.stdout.readline())["ready"])
                    process.send_signal(signal.SIGHUP)

                    def told():
                        log.seek(0)
                        return log.read()
                    self.assertTrue(wait_until(lambda: "event=config_reloaded reason=SIGHUP" in told()), told())
                    os.close(ours)
                    self.assertEqual(process.wait(30), 0)
                    self.assertIn("the terminal was closed", told())
                finally:
                    if process.poll() is None:
                        process.kill()

    def test_log_levels_are_set_by_module(self):
        def refused_frame():
            with socket.create_connection(daemon.kafka) as client:
                client.sendall(b"\xff\xff\xff\xff")
                self.assertEqual(client.recv(1), b"")

        with Daemon(engine="memory") as daemon:
            levels = json.loads(ask(daemon.admin, "GET", "/log-level")[1])
            self.assertEqual(set(levels.values()), {"info"})
            self.assertLessEqual({"app", "broker", "server", "embedded", "seaweedmq", "schema"}, set(levels))
            for status, body in ((400, "x"), (400, "{}"), (400, '{"server": 1}'), (422, '{"nobody": "info"}'),
                                 (422, '{"server": "loud", "*": "debug"}')):
                got, answer = ask(daemon.admin, "PUT", "/log-level", body=body)
                self.assertEqual((got, list(json.loads(answer))), (status, ["error"]), body)
            self.assertEqual(json.loads(ask(daemon.admin, "GET", "/log-level")[1]), levels, "all or nothing")
            got, answer = ask(daemon.admin, "PUT", "/log-level", body='{"server": "off"}')
            self.assertEqual((got, json.loads(answer)), (200, levels | {"server": "off"}))
            refused_frame()
            self.assertEqual(ask(daemon.admin, "PUT", "/log-level", body='{"*": "error", "server": "warn"}')[0], 200)
            refused_frame()
            self.assertEqual(ask(daemon.admin, "PUT", "/log-level", {"Origin": "http://example.com"}, "{}")[0], 403)
            daemon.stop()
            told = daemon.stderr()
        self.assertEqual(told.count("reason=bad_frame_size"), 1, told)
        self.assertEqual(told.count("event=log_levels_set"), 1, "at error the admin module tells of no other")

    def test_web_pages_and_other_methods_are_refused(self):
        with Daemon() as daemon:
            self.assertEqual(ask(daemon.admin, "POST", "/config/reload", {"Origin": "http://example.com"})[0], 403)
            self.assertEqual(ask(daemon.admin, "GET", "/config/reload")[0], 405)
            self.assertEqual(ask(daemon.admin, "POST", "/metrics")[0], 405)
            self.assertEqual(reloads(daemon, "reloaded"), 0)


if __name__ == "__main__":
    unittest_report.main(__name__)
