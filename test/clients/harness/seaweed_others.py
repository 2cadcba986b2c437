"""What SeaweedFS itself has for messages, beside a RealSeaweed: an MQ broker and the Kafka gateway in Go.

The broker listens on all interfaces; it knows no option to bind elsewhere. The gateway wants a schema registry, and gets one
that knows no schema. It tells its clients port 9093 whatever it listens on: only clients that stay on the
connection they opened can be used. Only processes started here are signalled, by pid.
"""
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import tether
from .seaweed import START_TIMEOUT_S, SeaweedError, _connects, _free_port


class _NoSchemas(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_):
        pass


class NativeMessaging:
    """`broker` and `gateway` are HOST:PORT once it is started."""

    def __init__(self, cluster):
        self.cluster, self.processes, self.registry = cluster, {}, None
        self.broker = self.gateway = None

    def start(self, with_gateway=True):
        port = _free_port()
        self._run("mq.broker", port, ["-ip=127.0.0.1"])
        self.broker = f"127.0.0.1:{port}"
        if not with_gateway:
            return
        self.registry = ThreadingHTTPServer(("127.0.0.1", 0), _NoSchemas)
        threading.Thread(target=self.registry.serve_forever, daemon=True).start()
        port = _free_port()
        self._run("mq.kafka.gateway", port, [
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-default-partitions=1",
            f"-schema-registry-url=http://127.0.0.1:{self.registry.server_address[1]}"])
        self.gateway = f"127.0.0.1:{port}"

    def _run(self, name, port, words):
        with open(self.cluster.work_dir / f"{name}.log", "ab") as log:
            self.processes[name] = tether.popen(
                [self.cluster.binary, name, f"-port={port}", f"-master={self.cluster.masters}", *words],
                stdout=log, stderr=log, cwd=self.cluster.work_dir)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _connects(port):
            if self.processes[name].poll() is not None or time.monotonic() > deadline:
                raise SeaweedError(f"weed {name} did not come up: {self.cluster.log_tail(name)}")
            time.sleep(0.1)

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.processes = {}
        if self.registry:
            self.registry.shutdown()
            self.registry.server_close()
            self.registry = None
