"""MirrorMaker 2 from the server of the suite to a second one: records, topic configs and group offsets."""
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from programs import BOOTSTRAP, Program, properties, topic_configs, values, wait_for  # noqa: E402
from kafka_tools import consume, create, end_offsets, suite, table, tool, topics  # noqa: E402
from suite import SERVER, case, equal  # noqa: E402
from harness import servers  # noqa: E402


def feed(topic, first, last):
    """Keyed lines; which partition one is in follows from its key."""
    text = "".join(f"key{number % 17};value {number}\n" for number in range(first, last))
    tool("org.apache.kafka.tools.ConsoleProducer",
         "--topic",
         topic,
         "--bootstrap-server",
         BOOTSTRAP,
         "--reader-property",
         "parse.key=true",
         "--reader-property",
         "key.separator=;",
         stdin=text)


def offsets_at(bootstrap, topic):
    out = tool("org.apache.kafka.tools.GetOffsetShell",
               "--bootstrap-server",
               bootstrap,
               "--topic-partitions",
               topic,
               ok=False).stdout
    return {
        int(partition): int(end)
        for name, partition, end in (line.rsplit(":", 2) for line in out.splitlines()
                                     if line.startswith(topic + ":"))
    }


def committed_at(bootstrap, group, topic):
    out = tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
               "--bootstrap-server",
               bootstrap,
               "--describe",
               "--group",
               group,
               ok=False).stdout
    return {
        int(row["PARTITION"]): int(row["CURRENT-OFFSET"])
        for row in table(out, "GROUP") if row["TOPIC"] == topic and row["CURRENT-OFFSET"] != "-"
    }


@case(limit_s=300)
def two_servers():
    with tempfile.TemporaryDirectory(prefix="tidegate-mirror-") as work:
        target = servers.make(SERVER, Path(work), 0, os.environ["TG_BINARY"])
        target.start()
        try:
            mirror(target.bootstrap)
        finally:
            target.kill()


def mirror(target):
    topic = create("mirrored", 3, "--config", "retention.ms=7654321")
    left_out, group = create("private", 1), f"group-{topic}"
    feed(topic, 0, 400)
    consume(topic, group, 400)
    settings = properties(
        "mirror.properties", **{
            "clusters": "here,there",
            "here.bootstrap.servers": BOOTSTRAP,
            "there.bootstrap.servers": target,
            "here->there.enabled": "true",
            "there->here.enabled": "false",
            "topics": "mirrored-.*",
            "groups": "group-.*",
            "replication.factor": 1,
            "offset-syncs.topic.replication.factor": 1,
            "checkpoints.topic.replication.factor": 1,
            "heartbeats.topic.replication.factor": 1,
            "config.storage.replication.factor": 1,
            "offset.storage.replication.factor": 1,
            "status.storage.replication.factor": 1,
            "sync.topic.acls.enabled": "false",
            "sync.group.offsets.enabled": "true",
            "sync.group.offsets.interval.seconds": 1,
            "emit.checkpoints.interval.seconds": 1,
            "refresh.topics.interval.seconds": 1,
            "refresh.groups.interval.seconds": 1,
            "sync.topic.configs.interval.seconds": 1,
            "offset.lag.max": 0,
            "offset.flush.interval.ms": 500,
            "plugin.discovery": "service_load"
        })
    copy = f"here.{topic}"
    with Program("mirror", "org.apache.kafka.connect.mirror.MirrorMaker", settings, heap="400m") as maker:
        wait_for("400 records there",
                 lambda: sum(offsets_at(target, copy).values()) == 400,
                 maker,
                 seconds=200)
        feed(topic, 400, 600)
        ends = end_offsets(topic)
        equal(sum(ends.values()), 600, "records here")
        wait_for("all records there", lambda: offsets_at(target, copy) == ends, maker)
        wait_for("the topic's config", lambda: topic_configs(copy, target).get("retention.ms") == "7654321",
                 maker)
        # A group that has read all here goes on there without reading a record twice.
        consume(topic, group, 200)
        wait_for("the group's offsets", lambda: committed_at(target, group, copy) == ends, maker)
        assert maker.stop() in (0, 143), maker.tail()
    for partition, count in ends.items():
        equal(values(copy, count, target, partition), values(topic, count, BOOTSTRAP, partition),
              f"partition {partition}")
    there = set(
        tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", target, "--list").stdout.split())
    assert f"here.{left_out}" not in there and {"heartbeats", "here.checkpoints.internal"} <= there, there


suite.main()
