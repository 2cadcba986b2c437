"""A SeaweedFS for a suite: real processes of the binary that TIDEGATE_WEED names, or the fake servers.

Both have one master, one volume server and one filer on loopback, and an MQ broker where it is asked for. A part can be killed and started again on its
ports with what it had stored. Only processes started here are signalled, by pid.
"""
import os
import select
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from . import deps, tether

PARTS = ("master", "volume", "filer", "broker")
START_TIMEOUT_S = 90


class SeaweedError(Exception):
    pass


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _connects(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


def real_binary():
    """What TIDEGATE_WEED names; None when it names nothing."""
    named = os.environ.get("TIDEGATE_WEED")
    return named or None


class RealSeaweed:
    kind = "real"
    rewrite = None

    def __init__(self, work_dir, volume_megabytes=128, broker=False, security="", filers=1, shared_store=False):
        """`security` is the text of a security.toml for all parts. Filers beyond the first are the parts filer2 and so
        on; they keep a store each, or all of them one, in a Redis."""
        self.binary, self.volume_megabytes = real_binary(), volume_megabytes
        if not self.binary or not os.access(self.binary, os.X_OK):
            raise deps.Missing("TIDEGATE_WEED names no weed binary")
        self.work_dir = Path(work_dir) / "seaweedfs"
        self.filers = ["filer"] + [f"filer{n}" for n in range(2, filers + 1)]
        self.parts = ["master", "volume", *self.filers] + (["broker"] if broker else [])
        self.http = {part: _free_port() for part in (*PARTS, *self.filers)}
        self.grpc = {part: _free_port() for part in (*PARTS, *self.filers)}
        self.processes = {}
        self.shared_store = shared_store
        if shared_store and not shutil.which("redis-server"):
            raise deps.Missing("redis-server, for filers that share a store")
        for part in self.parts:
            (self.work_dir / part).mkdir(parents=True)
        (self.work_dir / "security.toml").write_text(security)
        self.masters = f"127.0.0.1:{self.http['master']}.{self.grpc['master']}"

    def _start_store(self):
        port = _free_port()
        (self.work_dir / "filer.toml").write_text("[leveldb2]\nenabled = false\n[redis2]\nenabled = true\n"
                                                  f'address = "127.0.0.1:{port}"\npassword = ""\ndatabase = 0\n')
        log = open(self.work_dir / "redis.log", "ab")
        self.processes["redis"] = tether.popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"],
            stdout=log, stderr=log, cwd=self.work_dir)
        log.close()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _connects(port):
            if self.processes["redis"].poll() is not None or time.monotonic() > deadline:
                raise SeaweedError("redis-server did not come up")
            time.sleep(0.1)

    def _command(self, part):
        data = str(self.work_dir / part)
        if part == "broker":
            # Its one port is for gRPC, which it opens on every interface.
            return [self.binary, "mq.broker", "-ip=127.0.0.1", f"-port={self.grpc[part]}", f"-master={self.masters}",
                    "-logFlushInterval=1"]
        words = [self.binary, "filer" if part in self.filers else part, "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-port={self.http[part]}",
                 f"-port.grpc={self.grpc[part]}"]
        return words + {
            "master": [f"-mdir={data}", "-telemetry=false", f"-volumeSizeLimitMB={self.volume_megabytes}"],
            "volume": [f"-dir={data}", "-max=100", f"-master={self.masters}"],
            "filer": [f"-master={self.masters}", f"-defaultStoreDir={data}"],
        }["filer" if part in self.filers else part]

    def start(self):
        if self.shared_store:
            self._start_store()
        for part in self.parts:
            self.start_part(part)

    def start_part(self, part, wait=True):
        log = open(self.work_dir / f"{part}.log", "ab")
        self.processes[part] = tether.popen(self._command(part), stdout=log, stderr=log, cwd=self.work_dir)
        log.close()
        if wait:
            self._wait_for(part)

    def _wait_for(self, part):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ((part == "broker" or _connects(self.http[part])) and _connects(self.grpc[part])
                   and (part != "volume" or "master" not in self.processes or self._assigns())):
            if self.processes[part].poll() is not None or time.monotonic() > deadline:
                raise SeaweedError(f"weed {part} did not come up: {self.log_tail(part)}")
            time.sleep(0.1)

    def _assigns(self):
        """Some seconds after a volume server has come up the master gives out ids on it."""
        try:
            url = f"http://127.0.0.1:{self.http['master']}/dir/assign"
            with urllib.request.urlopen(url, timeout=2) as answer:
                return b'"fid"' in answer.read()
        except OSError:
            return False

    def kill_part(self, part, sig=signal.SIGKILL):
        process = self.processes.pop(part)
        process.send_signal(sig)
        process.wait()

    def log_tail(self, part):
        text = (self.work_dir / f"{part}.log").read_text(errors="replace").splitlines()
        return " | ".join(text[-3:])

    def close(self):
        for part in list(self.processes):
            self.kill_part(part)


class FakeSeaweed:
    """Speaks to the program fake_seaweedfs by lines; it keeps everything in its memory."""

    kind = "fake"

    def __init__(self, _work_dir, faulty=False, broker=False):
        named = os.environ.get("TIDEGATE_TEST_BIN_DIR")
        places = [Path(named)] if named else sorted(deps.SOURCE_DIR.glob("build/*/bin"),
                                                    key=lambda p: -p.stat().st_mtime)
        programs = [p / "fake_seaweedfs" for p in places if (p / "fake_seaweedfs").exists()]
        if not programs:
            raise SeaweedError("fake_seaweedfs is not built")
        self.program, self.process, self.masters = programs[0], None, None
        self.faulty, self.broker, self.rewrite = faulty, broker, None

    def start(self):
        command = [str(self.program)] + (["--faulty"] if self.faulty else []) + (["--broker"] if self.broker else [])
        self.process = tether.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not select.select([self.process.stdout], [], [], START_TIMEOUT_S)[0]:
            raise SeaweedError("fake_seaweedfs says nothing")
        words = self.process.stdout.readline().split()
        self.masters = words[1]
        self.rewrite = words[3] if self.faulty else None

    def _tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != "ok":
            raise SeaweedError(f"fake_seaweedfs does not obey: {line}")

    def start_part(self, part, wait=True):
        self._tell(f"start {part}")

    def kill_part(self, part):
        self._tell(f"kill {part}")

    def fault(self, part, mode):
        """What the proxy in front of the part does to its connections: pass, refuse, reset, hang, slow."""
        self._tell(f"fault {part} {mode}")

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def make(kind, work_dir, broker=False, **more):
    """kind: real, fake, or faulty: the fake one behind proxies that misbehave when told. `more` is for a real one."""
    if kind == "real":
        return RealSeaweed(work_dir, broker=broker, **more)
    return FakeSeaweed(work_dir, kind == "faulty", broker)
