"""The list of suites: how each one's command is made and what it needs."""
import sys
from dataclasses import dataclass
from typing import Callable

from . import deps

CLIENTS = deps.CLIENTS_DIR


@dataclass(frozen=True)
class Suite:
    name: str
    prepare: Callable[[], list]  # installs what is missing, returns the command
    engine: str = "embedded"
    label: str = "client-compat"
    timeout_s: int = 300
    on_kafka: bool = True  # False: the case only means something with our own engines


def _venv(script):
    return lambda: [str(deps.python_venv()), str(CLIENTS / "python" / script)]


def _kcat():
    return [sys.executable, str(CLIENTS / "kcat" / "suite.py"), deps.tool("kcat")]


def _java():
    classpath = deps.java_classes("java", deps.maven_classpath("java"))
    # C1 alone: these programs end before the optimising compiler pays for itself.
    return [deps.tool("java"), "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", classpath, "Suite"]


def _console_tools():
    return [sys.executable, str(CLIENTS / "tools" / "suite.py"), deps.tool("java"),
            deps.maven_classpath("kafka")]


SUITES = [
    Suite("kcat", _kcat),
    Suite("confluent-kafka", _venv("confluent_suite.py")),
    Suite("kafka-python", _venv("kafka_python_suite.py")),
    Suite("aiokafka", _venv("aiokafka_suite.py")),
    Suite("java", _java),
    Suite("console-tools", _console_tools),
    Suite("e2e-embedded", _venv("e2e_suite.py"), "embedded", "e2e"),
    Suite("e2e-memory", _venv("e2e_suite.py"), "memory", "e2e", on_kafka=False),
]
