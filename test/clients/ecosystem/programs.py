"""What the suites of this directory share: long-running Java programs, and waiting for what they do."""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from kafka_tools import BOOTSTRAP, CONFIG, JAVA, tool  # noqa: E402

CLASSPATH = sys.argv[3]


def properties(path, **values):
    """A properties file; in names, __ is a dot."""
    path = Path(path)
    path.write_text("".join(f"{name.replace('__', '.')}={value}\n" for name, value in values.items()))
    return path


class Program:
    """A main class with its log in a file of the work directory; ends by SIGTERM when the block does."""
    def __init__(self, name, *arguments, heap="256m"):
        self.log = Path(f"{name}.log")
        # C1 alone: these programs end before the optimising compiler pays for itself.
        self.command = [
            JAVA, "-XX:TieredStopAtLevel=1", f"-Xmx{heap}", f"-Dlog4j2.configurationFile={CONFIG}", "-cp",
            CLASSPATH, *map(str, arguments)
        ]
        self.process = None

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def stop(self, sig=signal.SIGTERM):
        """Its exit code; 143 is what a JVM ends with after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"no end 60 s after SIGTERM: {self.tail()}") from None

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def tail(self, size=600):
        return " ".join(self.log.read_text(errors="replace").split())[-size:]

    def check(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.tail()}"


def wait_for(what, condition, *programs, seconds=120):
    """Returns the first true value of condition(); none of the programs may end meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        for program in programs:
            program.check()
        if value := condition():
            return value
        assert time.monotonic() < deadline, (f"not after {seconds} s: {what}; " +
                                             " ".join(program.tail(300) for program in programs))
        time.sleep(0.2)


def rest(method, port, path, body=None):
    """The answer of a Connect worker; None while it does not, or asks to come again (404, 409, 5xx)."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}",
                                     data, {"Content-Type": "application/json"},
                                     method=method)
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            text = answer.read()
            return json.loads(text) if text else True
    except urllib.error.HTTPError as error:
        assert error.code in (404,
                              409) or error.code >= 500, f"{method} {path}: {error.code} {error.read()[:300]}"
        return None
    except OSError:
        return None


def values(topic, count, bootstrap=BOOTSTRAP, partition=0):
    """The first `count` values of a partition."""
    out = tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", topic, "--partition", partition,
               "--offset", "earliest", "--max-messages", count, "--timeout-ms", 30000, "--bootstrap-server",
               bootstrap).stdout
    return out.splitlines()


def topic_configs(topic, bootstrap=BOOTSTRAP):
    """What was set for the topic itself."""
    text = tool("kafka.admin.ConfigCommand", "--bootstrap-server", bootstrap, "--describe", "--entity-type",
                "topics", "--entity-name", topic).stdout
    lines = (line.split() for line in text.splitlines() if "=" in line)
    return dict(words[0].split("=", 1) for words in lines if "=" in words[0])


def work_path(name):
    return Path(os.environ.get("TG_WORK_DIR", ".")).resolve() / name
