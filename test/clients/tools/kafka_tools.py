"""Kafka's own command line tools, run as users run them: their main classes with a user's arguments.

Short ones share one JVM (java/ToolRunner.java); those that read standard input, run on, or have shutdown
hooks get a process of their own."""
import base64
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
import suite  # noqa: E402
from suite import BOOTSTRAP, SERVER  # noqa: E402

JAVA, CLASSPATH = sys.argv[1:3]
CONFIG = Path(__file__).resolve().parent.parent / "kafka" / "log4j2.properties"
OF_ITS_OWN = {
    "org.apache.kafka.tools.ConsoleProducer", "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "org.apache.kafka.tools.VerifiableProducer", "org.apache.kafka.tools.VerifiableConsumer",
    "org.apache.kafka.tools.ProducerPerformance", "org.apache.kafka.tools.ConsumerPerformance"
}


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str

    @property
    def text(self):
        return self.stdout + self.stderr


def java(*arguments, heap="256m"):
    return [
        JAVA, "-XX:TieredStopAtLevel=1", f"-Xmx{heap}", "-Xshare:auto",
        f"-Dlog4j2.configurationFile={CONFIG}", "-cp", CLASSPATH, *map(str, arguments)
    ]


class Runner:
    """The JVM for short tools; started with the first one."""
    def __init__(self):
        self.process = None

    def run(self, name, arguments):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(java("ToolRunner"),
                                            stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL,
                                            text=True)
        words = (base64.b64encode(str(word).encode()).decode() for word in (name, *arguments))
        try:
            self.process.stdin.write(" ".join(words) + "\n")
            self.process.stdin.flush()
            code, out, err = self.process.stdout.readline().rstrip("\n").split(" ")
        except BaseException:  # a time limit among them: the answer may still come and be taken for the next
            self.process.kill()
            self.process.wait()
            raise
        return Done(int(code), base64.b64decode(out).decode(), base64.b64decode(err).decode())


runner = Runner()


def tool(name, *arguments, stdin="", ok=True):
    if name in OF_ITS_OWN:
        done = subprocess.run(java(name, *arguments),
                              input=stdin,
                              capture_output=True,
                              text=True,
                              timeout=200)
        done = Done(done.returncode, done.stdout, done.stderr)
    else:
        done = runner.run(name, arguments)
    if ok:
        assert done.returncode == 0, f"{name}: exit {done.returncode}: {done.text[-500:]}"
    return done


def topics(*arguments, ok=True):
    return tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", BOOTSTRAP, *arguments, ok=ok)


def create(prefix, partitions, *arguments):
    name = suite.topic_name(prefix)
    topics("--create", "--topic", name, "--partitions", partitions, *arguments)
    return name


def consumer_groups(*arguments, ok=True):
    return tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
                "--bootstrap-server",
                BOOTSTRAP,
                *arguments,
                ok=ok)


def end_offsets(topic):
    out = tool("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", BOOTSTRAP, "--topic",
               topic).stdout
    return {int(p): int(o) for p, o in re.findall(rf"{re.escape(topic)}:(\d+):(\d+)", out)}


def produce(topic, count, *arguments):
    """Records with keys 0 to 9 in turn, so that each of a few partitions gets some."""
    text = tool("org.apache.kafka.tools.VerifiableProducer", "--topic", topic, "--max-messages", count,
                "--bootstrap-server", BOOTSTRAP, "--acks", -1, "--repeating-keys", 10, *arguments).stdout
    lines = json_lines(text)
    assert sum(line["name"] == "producer_send_success" for line in lines) == count, text[-300:]
    return lines


def consume(topic, group, count, *arguments):
    """Reads `count` records as a member of the group, commits and leaves."""
    text = tool("org.apache.kafka.tools.VerifiableConsumer", "--topic", topic, "--group-id", group,
                "--max-messages", count, "--bootstrap-server", BOOTSTRAP, "--reset-policy", "earliest",
                *arguments).stdout
    return json_lines(text)


def json_lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class LiveMember:
    """A VerifiableConsumer that stays; entered once it has partitions."""
    def __init__(self, topic, group, *arguments):
        self.command = java("org.apache.kafka.tools.VerifiableConsumer", "--topic", topic, "--group-id",
                            group, "--bootstrap-server", BOOTSTRAP, *arguments)

    def __enter__(self):
        self.process = subprocess.Popen(self.command,
                                        stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL,
                                        text=True)
        for line in self.process.stdout:
            if '"partitions_assigned"' in line and json.loads(line)["partitions"]:
                return self
        raise AssertionError(f"the consumer ended with {self.process.wait()} before it had partitions")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=60)


def offered(api, key, version=0):
    """Whether the server offers the API in that version."""
    text = tool("org.apache.kafka.tools.BrokerApiVersionsCommand", "--bootstrap-server", BOOTSTRAP).stdout
    found = re.search(rf"\b{api}\({key}\): (\d+)(?: to (\d+))?", text)
    return found is not None and int(found[2] or found[1]) >= version


def need_groups():
    """Skips where the server does not offer JoinGroup."""
    if not offered("JoinGroup", 11):
        raise suite.Skip("reads in a consumer group, which the server does not offer")


def table(text, first_column):
    """The rows below the header that begins with that column, as dictionaries; the last column takes the
    rest. Several tables of the same columns are one."""
    rows, columns = [], None
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == first_column:
            columns = words
        elif columns and len(words) >= len(columns):
            values = line.split(None, len(columns) - 1)
            rows.append(dict(zip(columns, (value.strip() for value in values))))
    return rows
