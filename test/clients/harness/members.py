"""Group members of the churn test: programs of six client families, each a process that is told to
leave by SIGTERM, dies by SIGKILL, and writes its own stamped history."""
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass

from . import deps, tether

SESSION_MS = 3000
LEAVE_TIMEOUT_S = 25


def _java():
    classpath = deps.java_classes("java", deps.maven_classpath("java"))
    return [deps.tool("java"), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx96m", "-cp",
            classpath, "Member"]


def _python(script):
    return lambda: [str(deps.python_venv()), "-B", str(deps.CLIENTS_DIR / "python" / script)]


def _node():
    modules = deps.node_modules() / "node_modules"
    return ["env", f"NODE_PATH={modules}", "KAFKAJS_NO_PARTITIONER_WARNING=1", deps.tool("node"),
            str(deps.CLIENTS_DIR / "node" / "member.js")]


# How each family's command is made; raises deps.Missing when its toolchain is not here.
FAMILIES = {
    "java": _java,
    "librdkafka": _python("member_confluent.py"),
    "franz-go": lambda: [str(deps.go_program("memberfranz"))],
    "sarama": lambda: [str(deps.go_program("membersarama"))],
    "kafkajs": _node,
    "aiokafka": _python("member_aiokafka.py"),
}


@dataclass(frozen=True)
class Group:
    """A group of the run: its members speak one assignor (or KIP-848's consumer protocol); in a mixed one
    those of the consumer protocol and of the assignor take turns, so that the group is converted live."""
    name: str
    assignor: str
    families: tuple
    static: bool = False
    mixed: bool = False

    def kinds(self, families):
        """What members to start, one after the other: (family, assignor)."""
        own = [f for f in self.families if f in families]
        if not self.mixed:
            return [(f, self.assignor) for f in own]
        return [(f, a) for f, other in zip(own, own[1:] + own[:1])
                for f, a in ((f, "consumer"), (other, self.assignor))]


GROUPS = (
    Group("range", "range", ("java", "librdkafka", "sarama", "aiokafka", "franz-go")),
    Group("roundrobin", "roundrobin", ("librdkafka", "sarama", "aiokafka")),
    Group("sticky", "sticky", ("sarama", "java")),
    Group("cooperative", "cooperative-sticky", ("java", "librdkafka", "franz-go")),
    Group("static", "cooperative-sticky", ("librdkafka", "java"), static=True),
    Group("kafkajs", "kafkajs-roundrobin", ("kafkajs",)),
    Group("kip848", "consumer", ("librdkafka", "java")),
    Group("mixed", "cooperative-sticky", ("librdkafka", "java"), mixed=True),
)


def prepare(wanted):
    """({family: command}, {family: why it is missing})"""
    commands, missing = {}, {}
    for family in wanted:
        try:
            commands[family] = FAMILIES[family]()
        except deps.Missing as reason:
            missing[family] = str(reason)
    return commands, missing


class Member:
    def __init__(self, name, group, family, command, bootstrap, topic, directory, assignor=None,
                 instance=None):
        self.name, self.group, self.family, self.instance = name, group, family, instance
        self.path = directory / f"{name}.jsonl"
        self.path.touch()
        self.log_path = directory.parent / f"{name}.log"
        arguments = [name, group, topic, assignor] + ([instance] if instance else [])
        with open(self.log_path, "wb") as log:
            self.process = tether.popen(
                [*command, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, TG_BOOTSTRAP=bootstrap, TG_HISTORY=str(self.path),
                         TG_SESSION_MS=str(SESSION_MS), PYTHONDONTWRITEBYTECODE="1"))
        self.wake_at = None  # when stopped

    def alive(self):
        return self.process.poll() is None

    def stop(self, seconds):
        self.process.send_signal(signal.SIGSTOP)
        self.wake_at = time.monotonic() + seconds

    def wake(self):
        if self.wake_at is not None and self.alive():
            self.process.send_signal(signal.SIGCONT)
        self.wake_at = None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask_to_leave(self):
        self.wake()
        self.process.terminate()

    def left(self):
        """Waits for the end that ask_to_leave() asked for; the problems."""
        try:
            code = self.process.wait(LEAVE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return [f"{self.name}: no end {LEAVE_TIMEOUT_S} s after SIGTERM"]
        # Before it began to do anything SIGTERM may end it as it ends any program.
        early = code in (-signal.SIGTERM, 128 + signal.SIGTERM) and not self.told()
        return [f"{self.name}: exit code {code}: {self.log_tail()}"] if code and not early else []

    def problems(self):
        """What it said about itself; an end that nobody asked for."""
        said = [f"{self.name}: {line}" for line in self.log_path.read_text(errors="replace").splitlines()
                if line.startswith("PROBLEM")]
        if not self.alive():
            said.append(f"{self.name}: ended by itself, exit code {self.process.returncode}: "
                        f"{self.log_tail()}")
        return said

    def log_tail(self):
        return " | ".join(self.log_path.read_text(errors="replace").splitlines()[-3:])[-400:]

    def told(self):
        """The whole lines of its history so far."""
        with open(self.path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def holds(self):
        """What it holds by its own word, or None before its first assignment."""
        held = None
        for line in self.told():
            if line["f"] == "own":
                held = set(line["tps"])
            elif line["f"] in ("revoke", "lost") and held is not None:
                held -= set(line["tps"])
        return held
