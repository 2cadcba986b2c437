"""The list of suites: how each one's command is made and what it needs."""
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import deps

CLIENTS = deps.CLIENTS_DIR


@dataclass(frozen=True)
class Suite:
    name: str
    prepare: Callable[[], list]  # installs what is missing, returns the command
    engine: str = "embedded"
    label: str = "client-compat"
    timeout_s: int = 900
    settings: tuple = ()  # of the server, for all of the suite
    seaweed: str = "fake"  # or faulty
    on_kafka: bool = True  # False: the case only means something with our own engines


# Members of KIP-848 groups learn of what they shall do with a heartbeat; the server says how often.
QUICK_HEARTBEATS = ("group.consumer.min.heartbeat.interval.ms=300", "group.consumer.heartbeat.interval.ms=300")


def _venv(script, *arguments):
    return lambda: [str(deps.python_venv()), str(CLIENTS / "python" / script), *arguments]


def _kcat():
    return [sys.executable, str(CLIENTS / "kcat" / "suite.py"), deps.tool("kcat")]


def _java():
    classpath = deps.java_classes("java", deps.maven_classpath("java"))
    # C1 alone: these programs end before the optimising compiler pays for itself.
    return [deps.tool("java"), "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", classpath, "Suite"]


def _tools(script):
    def prepare():
        classpath = deps.java_classes("tools/java", deps.maven_classpath("kafka"))
        return [sys.executable, str(CLIENTS / "tools" / script), deps.tool("java"), classpath]
    return prepare


def _ecosystem(script):
    def prepare():
        tools = deps.java_classes("tools/java", deps.maven_classpath("kafka"))
        programs = deps.java_classes("ecosystem", deps.maven_classpath("ecosystem"))
        return [sys.executable, str(CLIENTS / "ecosystem" / script), deps.tool("java"), tools, programs]
    return prepare


def _go(name):
    return lambda: [str(deps.go_program(name))]


def _node():
    modules = deps.node_modules() / "node_modules"
    return ["env", f"NODE_PATH={modules}", "KAFKAJS_NO_PARTITIONER_WARNING=1", deps.tool("node"),
            str(CLIENTS / "node" / "suite.js")]


def _librdkafka():
    """Built by CMake beside the daemon; the harness gets its directory from the environment."""
    named = os.environ.get("TIDEGATE_TEST_BIN_DIR")
    programs = [Path(named) / "librdkafka_suite"] if named else sorted(
        deps.SOURCE_DIR.glob("build/*/bin/librdkafka_suite"), key=lambda p: -p.stat().st_mtime)
    if not programs or not programs[0].exists():
        raise deps.Missing("librdkafka_suite is not built: librdkafka-dev was absent")
    return [str(programs[0])]


SUITES = [
    Suite("kcat", _kcat),
    Suite("librdkafka", _librdkafka),
    Suite("confluent-kafka", _venv("confluent_suite.py"), settings=QUICK_HEARTBEATS),
    Suite("kafka-python", _venv("kafka_python_suite.py")),
    Suite("aiokafka", _venv("aiokafka_suite.py")),
    Suite("java", _java, settings=QUICK_HEARTBEATS),
    Suite("console-tools", _tools("suite.py")),
    Suite("group-tools", _tools("groups_suite.py"), settings=("group.initial.rebalance.delay.ms=0",)),
    Suite("connect", _ecosystem("connect_suite.py"), settings=("group.initial.rebalance.delay.ms=0",)),
    Suite("streams", _ecosystem("streams_suite.py"), settings=("group.initial.rebalance.delay.ms=0",)),
    Suite("mirror-maker", _ecosystem("mirror_suite.py"), settings=("group.initial.rebalance.delay.ms=0",)),
    Suite("franz-go", _go("franz")),
    Suite("sarama", _go("sarama")),
    Suite("kafka-go", _go("kafkago")),
    Suite("kafkajs", _node),
    Suite("e2e-embedded", _venv("e2e_suite.py"), "embedded", "e2e"),
    Suite("e2e-memory", _venv("e2e_suite.py"), "memory", "e2e", on_kafka=False),
    # Against the fake SeaweedFS; `run --weed` takes the suites above to a real one.
    Suite("e2e-seaweedmq", _venv("e2e_suite.py"), "seaweedmq", "e2e", on_kafka=False),
    Suite("seaweedmq-kcat", _kcat, "seaweedmq", "e2e", on_kafka=False),
    Suite("seaweedmq-confluent", _venv("confluent_suite.py"), "seaweedmq", "e2e", settings=QUICK_HEARTBEATS,
          on_kafka=False),
    Suite("seaweedmq-broker-confluent", _venv("confluent_suite.py"), "seaweedmq", "e2e",
          settings=(*QUICK_HEARTBEATS, "seaweedmq.path=broker"), on_kafka=False),
    Suite("seaweedmq-record-confluent", _venv("confluent_suite.py"), "seaweedmq", "e2e",
          settings=(*QUICK_HEARTBEATS, "seaweedmq.layout=record"), on_kafka=False),
    Suite("seaweedmq-broker-record-confluent", _venv("confluent_suite.py"), "seaweedmq", "e2e",
          settings=(*QUICK_HEARTBEATS, "seaweedmq.path=broker", "seaweedmq.layout=record"), on_kafka=False),
    Suite("seaweedmq-faults", _venv("seaweed_faults_suite.py", "filer", "volume", "master"), "seaweedmq", "e2e",
          seaweed="faulty", on_kafka=False),
    Suite("seaweedmq-broker-faults", _venv("seaweed_faults_suite.py", "broker"), "seaweedmq", "e2e",
          settings=("seaweedmq.path=broker",), seaweed="faulty", on_kafka=False),
]
