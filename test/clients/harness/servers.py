"""The servers that a suite can run against: the tidegate binary, or Apache Kafka as the oracle.

Both offer two listeners: a plain one, and one that advertises the harness's dropping proxy.
A restart keeps ports and data directory. Only processes started here are signalled, by pid.
"""
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

from . import deps, seaweed, tether

START_TIMEOUT_S = 60
KAFKA_START_TIMEOUT_S = 240  # a JVM among a dozen others on a busy machine
STOP_TIMEOUT_S = 5.0  # what SIGTERM promises


class ServerError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _environment():
    """No TIDEGATE_* of the caller may change what is tested."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}


class Server:
    """Base: a child process, its log file and its two addresses."""

    durable = True

    def __init__(self, work_dir, proxy_port):
        self.work_dir = Path(work_dir)
        self.proxy_port = proxy_port
        self.process = None
        self.log = open(self.work_dir / "server.log", "ab")
        self.bootstrap = None
        self.proxied_upstream = None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()
        self.process = None

    def stop(self):
        """SIGTERM; returns (exit code, seconds). Kills when it takes ten times the promise."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_TIMEOUT_S * 10)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9, time.monotonic() - begin
        self.process = None
        return code, time.monotonic() - begin

    def log_tail(self, lines=15):
        self.log.flush()
        text = (self.work_dir / "server.log").read_text(errors="replace").splitlines()
        return text[-lines:]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        """Ends everything that belongs to it."""
        self.kill()


class Tidegate(Server):
    """With engine seaweedmq, beside a SeaweedFS of its own that outlives its restarts."""

    def __init__(self, work_dir, proxy_port, binary, engine="embedded", settings=(), seaweed_kind="fake"):
        super().__init__(work_dir, proxy_port)
        try:
            broker = "seaweedmq.path=broker" in settings
            self.seaweed = seaweed.make(seaweed_kind, work_dir, broker) if engine == "seaweedmq" else None
        except seaweed.SeaweedError as error:
            raise ServerError(str(error)) from None
        self.binary = str(binary)
        self.engine = engine
        self.settings = list(settings)
        self.durable = engine != "memory"
        self.plain, self.proxied, self.admin = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"

    def set(self, settings):
        self.settings = list(settings)

    def command(self):
        command = [self.binary, "serve", "--listen", f"PLAINTEXT://{self.plain}",
                   "--admin", self.admin, "--data-dir", str(self.work_dir / "data"),
                   "--engine", self.engine, "--ready-json", "--log-format", "text"]
        if self.proxy_port:
            command += ["--listen", f"PROXIED://{self.proxied}",
                        "--advertise", f"PROXIED://127.0.0.1:{self.proxy_port}"]
        if self.seaweed:
            command += ["--set", f"seaweedmq.masters={self.seaweed.masters}"]
            if self.seaweed.rewrite:
                command += ["--set", f"seaweedmq.address.rewrite={self.seaweed.rewrite}"]
        for setting in self.settings:
            command += ["--set", setting]
        return command

    def close(self):
        self.kill()
        if self.seaweed:
            self.seaweed.close()

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def _start_seaweed(self):
        try:
            self.seaweed.start()
        except seaweed.SeaweedError as error:
            raise ServerError(str(error)) from None

    def launch(self):
        """Without waiting for it."""
        self.process = tether.popen(self.command(), stdout=subprocess.PIPE, stderr=self.log,
                                        env=_environment())

    def start(self):
        if self.seaweed and self.bootstrap is None:
            self._start_seaweed()
        self.launch()
        line = self._ready_line()
        try:
            ready = json.loads(line)
            self.bootstrap = self.plain = ready["listeners"]["PLAINTEXT"]
            self.admin = ready["admin"]
            if self.proxy_port:
                self.proxied_upstream = self.proxied = ready["listeners"]["PROXIED"]
        except (ValueError, KeyError, TypeError) as error:
            self.kill()
            raise ServerError(f"bad ready line {line!r}: {error!r}") from None

    def _ready_line(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        fd, data = self.process.stdout.fileno(), b""
        while b"\n" not in data:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                self.kill()
                raise ServerError(f"not ready after {START_TIMEOUT_S} s")
            chunk = os.read(fd, 65536)
            if not chunk:
                code = self.process.wait()
                raise ServerError(f"ended with {code} before it was ready: "
                                  + " | ".join(self.log_tail(3)))
            data += chunk
        return data.split(b"\n", 1)[0].decode(errors="replace")


class Kafka(Server):
    """One combined broker and controller, formatted from a cached template."""

    CLUSTER_ID = "VGlkZWdhdGVPcmFjbGUwMQ"

    def __init__(self, work_dir, proxy_port, settings=(), heap="512m"):
        super().__init__(work_dir, proxy_port)
        self.classpath = deps.maven_classpath("kafka")
        self.settings = list(settings)
        self.heap = heap
        self.ports = [free_port(), free_port(), free_port()]
        self._write_config()

    def set(self, settings):
        self.settings = list(settings)
        self._write_config()

    def _write_config(self):
        plain, proxied, controller = self.ports
        template = (deps.CLIENTS_DIR / "kafka" / "server.properties").read_text()
        text = template.format(plain=plain, proxied=proxied, controller=controller,
                               advertised=self.proxy_port or proxied,
                               data=self.work_dir / "data")
        (self.work_dir / "server.properties").write_text(text + "\n".join(self.settings) + "\n")

    def _java(self, *arguments):
        log4j = deps.CLIENTS_DIR / "kafka" / "log4j2.properties"
        return [deps.tool("java"), f"-Xmx{self.heap}", f"-Dlog4j2.configurationFile={log4j}",
                "-cp", self.classpath, *arguments]

    def _format(self):
        template = Path(self.classpath[:-1]) / "formatted"
        if not template.exists():
            subprocess.run(self._java("kafka.tools.StorageTool", "format", "-t", self.CLUSTER_ID,
                                      "-c", str(self.work_dir / "server.properties")),
                           check=True, stdout=self.log, stderr=self.log)
            try:
                shutil.copytree(self.work_dir / "data", template)
            except FileExistsError:
                pass  # another harness formatted at the same time
        else:
            shutil.copytree(template, self.work_dir / "data")

    def start(self):
        if not (self.work_dir / "data").exists():
            self._format()
        self.process = tether.popen(
            self._java("kafka.Kafka", str(self.work_dir / "server.properties")),
            stdout=self.log, stderr=self.log, env=dict(_environment(), LOG_DIR=str(self.work_dir)))
        self.bootstrap = f"127.0.0.1:{self.ports[0]}"
        self.proxied_upstream = f"127.0.0.1:{self.ports[1]}"
        self._wait_for_metadata()

    def _wait_for_metadata(self):
        deadline = time.monotonic() + KAFKA_START_TIMEOUT_S
        while time.monotonic() < deadline:
            if not self.alive():
                raise ServerError("Kafka ended at start: " + " | ".join(self.log_tail(3)))
            if broker_count(self.ports[0]) > 0:
                return
            time.sleep(0.1)
        self.kill()
        raise ServerError("Kafka was not ready in time")


def broker_count(port):
    """One Metadata v1 request without topics: how many brokers the answer names, 0 on any error."""
    body = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as sock:
            sock.settimeout(2)
            sock.sendall(struct.pack(">i", len(body)) + body)
            reply = sock.recv(12, socket.MSG_WAITALL)
            return struct.unpack(">i", reply[8:12])[0] if len(reply) == 12 else 0
    except OSError:
        return 0


def offered_apis(address):
    """The API keys of an ApiVersions v0 answer."""
    host, port = address.rsplit(":", 1)
    body = struct.pack(">hhih", 18, 0, 1, -1)
    with socket.create_connection((host, int(port)), 5) as sock:
        sock.settimeout(5)
        sock.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", sock.recv(4, socket.MSG_WAITALL))[0]
        reply = sock.recv(size, socket.MSG_WAITALL)
    count = struct.unpack_from(">i", reply, 6)[0]
    return {struct.unpack_from(">h", reply, 10 + 6 * n)[0] for n in range(count)}


def make(kind, work_dir, proxy_port, binary=None, engine="embedded", settings=(), seaweed_kind="fake"):
    if kind == "kafka":
        return Kafka(work_dir, proxy_port, settings)
    return Tidegate(work_dir, proxy_port, binary, engine, settings, seaweed_kind)
