"""Kafka Connect with its file connectors: lines of one file go through a topic into another, none lost, none
twice, through stops, restarts, a second worker and offsets moved by hand."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from programs import (
    BOOTSTRAP,
    CLASSPATH,
    Program,
    properties,
    rest,
    topic_configs,
    values,  # noqa: E402
    wait_for,
    work_path)
from kafka_tools import consumer_groups, create, end_offsets, suite, table, tool  # noqa: E402
from suite import case, equal  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness.servers import free_port  # noqa: E402

WORKER = dict(bootstrap__servers=BOOTSTRAP,
              key__converter="org.apache.kafka.connect.storage.StringConverter",
              value__converter="org.apache.kafka.connect.storage.StringConverter",
              plugin__discovery="service_load",
              offset__flush__interval__ms=500)


def lines(first, last):
    return [f"line {number}" for number in range(first, last)]


class Files:
    """The file that is read, the file that is written, and the topic between them."""
    def __init__(self, prefix):
        self.topic = create(prefix, 1)
        self.source, self.sink = work_path(f"{self.topic}.in"), work_path(f"{self.topic}.out")
        self.written = []
        self.write(lines(0, 500))

    def write(self, more):
        self.written += more
        with open(self.source, "a") as file:
            file.writelines(line + "\n" for line in more)

    def read(self):
        return self.sink.read_text().splitlines() if self.sink.exists() else []

    def settings(self, kind):
        own = {
            "connector.class": f"org.apache.kafka.connect.file.FileStream{kind.capitalize()}Connector",
            "tasks.max": "1",
            "file": str(self.source if kind == "source" else self.sink)
        }
        return own | ({"topic": self.topic} if kind == "source" else {"topics": self.topic})

    def name(self, kind):
        return f"{kind}-{self.topic}"

    def check(self):
        equal(self.read(), self.written, "lines in the sink's file")
        equal(end_offsets(self.topic), {0: len(self.written)}, "records in the topic")


def committed(group):
    rows = table(consumer_groups("--describe", "--group", group).stdout, "GROUP")
    return [int(row["CURRENT-OFFSET"]) for row in rows]


@case(limit_s=300)
def standalone():
    files = Files("connect-standalone")
    worker = properties("standalone.properties",
                        **WORKER,
                        listeners=f"http://127.0.0.1:{free_port()}",
                        offset__storage__file__filename=work_path("standalone.offsets"))
    connectors = []
    for kind in ("source", "sink"):
        path = Path(f"{kind}.properties")
        path.write_text("".join(f"{k}={v}\n"
                                for k, v in files.settings(kind).items()) + f"name={files.name(kind)}\n")
        connectors.append(path)
    command = ("standalone", "org.apache.kafka.connect.cli.ConnectStandalone", worker, *connectors)
    group = f"connect-{files.name('sink')}"
    with Program(*command) as connect:
        wait_for("all lines", lambda: files.read() == files.written, connect)
        files.write(lines(500, 700))
        wait_for("the appended lines", lambda: files.read() == files.written, connect)
        assert connect.stop() in (0, 143), connect.tail()
    equal(committed(group), [700], "committed by the sink")
    files.write(lines(700, 800))
    with Program(*command) as connect:
        wait_for("lines after the restart", lambda: len(files.read()) >= 800, connect)
        assert connect.stop() in (0, 143), connect.tail()
    files.check()
    equal(committed(group), [800], "committed after the restart")
    equal(values(files.topic, 3), lines(0, 3), "first records")


class Cluster:
    """Workers of one Connect cluster, each with its own port."""
    def __init__(self, group):
        self.group = group
        self.topics = {kind: f"{group}-{kind}" for kind in ("config", "offset", "status")}

    def worker(self, number):
        port = free_port()
        settings = properties(f"{self.group}-{number}.properties",
                              **WORKER,
                              group__id=self.group,
                              listeners=f"http://127.0.0.1:{port}",
                              session__timeout__ms=6000,
                              heartbeat__interval__ms=500,
                              scheduled__rebalance__max__delay__ms=0,
                              task__shutdown__graceful__timeout__ms=10000,
                              **{
                                  f"{kind}__storage__topic": topic
                                  for kind, topic in self.topics.items()
                              },
                              **{f"{kind}__storage__replication__factor": 1
                                 for kind in self.topics})
        program = Program(f"{self.group}-{number}", "org.apache.kafka.connect.cli.ConnectDistributed",
                          settings)
        program.port = port
        return program


def state(worker, name):
    """(connector state, [(task state, worker)]) or nothing yet."""
    status = rest("GET", worker.port, f"/connectors/{name}/status")
    if not status:
        return None
    return status["connector"]["state"], [(task["state"], task["worker_id"]) for task in status["tasks"]]


def wait_running(worker, name, *others):
    def running():
        now = state(worker, name)
        return now if now and now[0] == "RUNNING" and [task[0] for task in now[1]] == ["RUNNING"] else None

    return wait_for(f"{name} runs", running, worker, *others)


@case(limit_s=400)
def distributed():
    files = Files("connect-distributed")
    cluster = Cluster(f"cluster-{files.topic}")
    source, sink = files.name("source"), files.name("sink")
    with cluster.worker(1) as first:
        wait_for("REST", lambda: rest("GET", first.port, "/connectors") == [], first)
        for kind in ("source", "sink"):
            wait_for(
                "connector accepted", lambda: rest(
                    "PUT", first.port, f"/connectors/{files.name(kind)}/config", files.settings(kind)), first)
        wait_for("all lines", lambda: files.read() == files.written, first)
        for topic in cluster.topics.values():
            equal(topic_configs(topic).get("cleanup.policy"), "compact", f"cleanup.policy of {topic}")
        listed = tool("org.apache.kafka.tools.GroupsCommand", "--bootstrap-server", BOOTSTRAP, "--list",
                      "--protocol", "connect").stdout
        assert cluster.group in listed, listed
        # A second worker takes its share of the connectors and tasks.
        with cluster.worker(2) as second:

            def shared():
                now = [state(first, name) for name in (source, sink)]
                return all(now) and {task[1]
                                     for _, tasks in now
                                     for task in tasks
                                     } == {f"127.0.0.1:{worker.port}"
                                           for worker in (first, second)}

            wait_for("two workers share the tasks", shared, first, second)
            for name in (source, sink):
                wait_running(second, name, first)
            files.write(lines(500, 700))
            wait_for("lines through two workers", lambda: len(files.read()) >= 700, first, second)
            assert second.stop() in (0, 143), second.tail()
        for name in (source, sink):
            wait_for(f"{name} is back",
                     lambda: state(first, name)[1] == [("RUNNING", f"127.0.0.1:{first.port}")], first)
        files.write(lines(700, 800))
        wait_for("lines through one worker", lambda: len(files.read()) >= 800, first)
        move_sink_offset(first, files, sink)
        assert first.stop() in (0, 143), first.tail()
    # Connectors, their offsets and their states are in the compacted topics alone.
    with cluster.worker(3) as third:
        for name in (source, sink):
            wait_running(third, name)
        files.write(lines(800, 900))
        wait_for("lines after the restart", lambda: files.read()[-1:] == ["line 899"], third)
        for name in (source, sink):
            wait_for(f"{name} deleted", lambda: rest("DELETE", third.port, f"/connectors/{name}"), third)
        wait_for("no connectors", lambda: rest("GET", third.port, "/connectors") == [], third)
        assert third.stop() in (0, 143), third.tail()
    equal(end_offsets(files.topic), {0: 900}, "records in the topic")
    equal(files.read(),
          lines(0, 800) + lines(795, 900), "lines of the sink, five of them told to be read again")


def move_sink_offset(worker, files, sink):
    """Connect alters the offsets of a stopped sink through the admin client."""
    wait_for(
        "offsets are committed", lambda: rest("GET", worker.port, f"/connectors/{sink}/offsets") == {
            "offsets": [{
                "partition": {
                    "kafka_topic": files.topic,
                    "kafka_partition": 0
                },
                "offset": {
                    "kafka_offset": 800
                }
            }]
        }, worker)
    wait_for("stop accepted", lambda: rest("PUT", worker.port, f"/connectors/{sink}/stop"), worker)
    wait_for("the sink stops", lambda: state(worker, sink) == ("STOPPED", []), worker)
    wait_for(
        "offsets altered", lambda: rest(
            "PATCH", worker.port, f"/connectors/{sink}/offsets", {
                "offsets": [{
                    "partition": {
                        "kafka_topic": files.topic,
                        "kafka_partition": 0
                    },
                    "offset": {
                        "kafka_offset": 795
                    }
                }]
            }), worker)
    equal(committed(f"connect-{sink}"), [795], "committed by PATCH")
    wait_for("resume accepted", lambda: rest("PUT", worker.port, f"/connectors/{sink}/resume"), worker)
    wait_for("five lines again", lambda: files.read() == files.written + lines(795, 800), worker)


suite.main()
