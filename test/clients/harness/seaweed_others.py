"""What SeaweedFS itself has for messages, beside a RealSeaweed: an MQ broker and the Kafka gateway in Go.

The broker listens on all interfaces; it knows no option to bind elsewhere. The gateway wants a schema registry,
and gets one that knows no schema. It tells its clients port 9093 whatever it listens on, so it gets that port
on an address of its own. Only processes started here are signalled, by pid.
"""
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import tether
from .seaweed import START_TIMEOUT_S, SeaweedError, _connects, _free_port

GATEWAY_PORT = 9093


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
        # Of all the addresses of the loopback interface one on which nobody has the port that it tells.
        host = f"127.{random.randrange(1, 255)}.{random.randrange(255)}.{random.randrange(1, 255)}"
        self._run("mq.kafka.gateway", GATEWAY_PORT, [
            f"-ip={host}", f"-ip.bind={host}", "-default-partitions=1",
            f"-schema-registry-url=http://127.0.0.1:{self.registry.server_address[1]}"], host)
        self.gateway = f"{host}:{GATEWAY_PORT}"

    def _run(self, name, port, words, host="127.0.0.1"):
        with open(self.cluster.work_dir / f"{name}.log", "ab") as log:
            self.processes[name] = tether.popen(
                [self.cluster.binary, name, f"-port={port}", f"-master={self.cluster.masters}", *words],
                stdout=log, stderr=log, cwd=self.cluster.work_dir)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _connects(port, host):
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
