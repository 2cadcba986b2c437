"""Starts and stops the daemon for Python tests: free ports, a directory of its own, ended by pid."""
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

BINARY = os.environ.get("TIDEGATE_BINARY", "build/release/tidegate")


def clean_environment(extra=None):
    """The caller's, without names that the daemon would take for settings of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TIDEGATE_", "KAFKA_"))} | (extra or {})


class Daemon:
    def __init__(self, *options, data_dir=None, engine="embedded", environment=None, kafka="127.0.0.1:0",
                 admin="127.0.0.1:0"):
        self.own_dir = data_dir is None
        self.data_dir = data_dir or tempfile.mkdtemp(prefix="tidegate-test-")
        self.command = [BINARY, "serve", "--listen", kafka, "--admin", admin, "--ready-json",
                        "--engine", engine, "--data-dir", self.data_dir, *options]
        if "--log-format" not in options:
            self.command += ["--log-format", "text"]
        self.environment = clean_environment(environment)
        self.process = None

    def __enter__(self):
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env=self.environment)
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.stop(signal.SIGKILL)
            raise RuntimeError(f"the daemon did not get ready: {self.stderr()}")
        self.ready = json.loads(line)
        host, port = self.ready["kafka"].rsplit(":", 1)
        self.kafka = (host.strip("[]"), int(port))
        host, port = self.ready["admin"].rsplit(":", 1)
        self.admin = (host.strip("[]"), int(port))
        return self

    def stderr(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self, sig=signal.SIGTERM, timeout=30):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(timeout)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
        if self.own_dir:
            shutil.rmtree(self.data_dir, ignore_errors=True)


def run(*arguments, timeout=30, environment=None):
    """One command to its end: (status, standard output, standard error)."""
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=timeout,
                          env=clean_environment(environment))
    return done.returncode, done.stdout, done.stderr


def api_versions(address, timeout=5):
    """ApiVersions 0 by hand: {key: (min, max)}."""
    with socket.create_connection(address, timeout=timeout) as connection:
        body = struct.pack(">hhih", 18, 0, 7, -1)
        connection.sendall(struct.pack(">i", len(body)) + body)
        reply = receive_frame(connection)
    correlation, error, count = struct.unpack_from(">ihi", reply)
    assert correlation == 7 and error == 0, (correlation, error)
    rows = (struct.unpack_from(">hhh", reply, 10 + 6 * i) for i in range(count))
    return {key: (low, high) for key, low, high in rows}


def receive_exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError(f"closed after {len(data)} of {size} bytes")
        data += more
    return data


def receive_frame(connection):
    (size,) = struct.unpack(">i", receive_exactly(connection, 4))
    return receive_exactly(connection, size)


def wait_until(condition, timeout=10):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
