"""Kafka's own command line tools, run as users run them (classes of the kafka-tools jar)."""
import json
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
import suite  # noqa: E402
from suite import BOOTSTRAP, case, equal  # noqa: E402

JAVA, CLASSPATH = sys.argv[1:3]
CONFIG = Path(__file__).resolve().parent.parent / "kafka" / "log4j2.properties"


def tool(name, *arguments, stdin="", ok=True):
    command = [JAVA, "-XX:TieredStopAtLevel=1", "-Xmx256m", "-Xshare:auto",
               f"-Dlog4j2.configurationFile={CONFIG}", "-cp", CLASSPATH, name,
               *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=200)
    if ok:
        assert done.returncode == 0, (
            f"{name}: exit {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    return done


def topics(*arguments, ok=True):
    return tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", BOOTSTRAP,
                *arguments, ok=ok)


def create(prefix, partitions, *arguments):
    name = suite.topic_name(prefix)
    topics("--create", "--topic", name, "--partitions", partitions, *arguments)
    return name


def end_offsets(topic):
    out = tool("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", BOOTSTRAP,
               "--topic", topic).stdout
    return {int(p): int(o) for p, o in re.findall(rf"{re.escape(topic)}:(\d+):(\d+)", out)}


@case(limit_s=500)
def kafka_topics():
    name = create("tool-topics", 2, "--config", "retention.ms=3600000")
    assert name in topics("--list").stdout.split(), "not listed"
    text = topics("--describe", "--topic", name).stdout
    assert re.search(r"PartitionCount:\s*2", text), text
    assert "retention.ms=3600000" in text, text
    equal(len(re.findall(r"Leader:\s*\d+", text)), 2, "leaders")
    topics("--alter", "--topic", name, "--partitions", 4)
    assert re.search(r"PartitionCount:\s*4", topics("--describe", "--topic", name).stdout)
    again = topics("--create", "--topic", name, "--partitions", 1, ok=False)
    assert again.returncode != 0 and "already exists" in again.stdout + again.stderr, again
    topics("--delete", "--topic", name)
    assert name not in topics("--list").stdout.split(), "still listed after the deletion"


@case(limit_s=500)
def kafka_configs():
    name = create("tool-configs", 1)
    config = ("kafka.admin.ConfigCommand", "--bootstrap-server", BOOTSTRAP)
    tool(*config, "--alter", "--entity-type", "topics", "--entity-name", name,
         "--add-config", "retention.ms=7200000,max.message.bytes=2000000")
    text = tool(*config, "--describe", "--entity-type", "topics", "--entity-name", name).stdout
    assert "retention.ms=7200000" in text and "max.message.bytes=2000000" in text, text
    tool(*config, "--alter", "--entity-type", "topics", "--entity-name", name,
         "--delete-config", "retention.ms")
    text = tool(*config, "--describe", "--entity-type", "topics", "--entity-name", name).stdout
    assert "retention.ms=7200000" not in text and "max.message.bytes=2000000" in text, text
    text = tool(*config, "--describe", "--all", "--entity-type", "topics",
                "--entity-name", name).stdout
    assert "segment.bytes=" in text and "DEFAULT_CONFIG" in text, text[-400:]


@case(limit_s=500)
def producer_perf_and_get_offsets():
    name = create("tool-perf", 2)
    text = tool("org.apache.kafka.tools.ProducerPerformance", "--topic", name, "--num-records",
                5000, "--record-size", 500, "--throughput", -1, "--bootstrap-server", BOOTSTRAP,
                "--command-property", "acks=all").stdout
    assert "5000 records sent" in text, text[-300:]
    equal(sum(end_offsets(name).values()), 5000, "sum of end offsets")


@case(limit_s=500)
def verifiable_producer():
    name = create("tool-verifiable", 1)
    text = tool("org.apache.kafka.tools.VerifiableProducer", "--topic", name, "--max-messages",
                1000, "--bootstrap-server", BOOTSTRAP, "--acks", -1).stdout
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    sent = [line for line in lines if line["name"] == "producer_send_success"]
    equal(sorted(line["offset"] for line in sent), list(range(1000)), "offsets")
    equal([line["acked"] for line in lines if line["name"] == "tool_data"], [1000], "tool_data")
    equal(end_offsets(name), {0: 1000}, "end offset")


@case(limit_s=500)
def console_producer_and_consumer():
    name = create("tool-console", 1)
    lines = "".join(f"line {n}\n" for n in range(200))
    tool("org.apache.kafka.tools.ConsoleProducer", "--topic", name, "--bootstrap-server",
         BOOTSTRAP, stdin=lines)
    # With a partition given this consumer assigns it by itself and needs no group.
    out = tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", name, "--partition",
               0, "--offset", "earliest", "--max-messages", 200, "--timeout-ms", 30000,
               "--bootstrap-server", BOOTSTRAP).stdout
    equal(out, lines, "lines")


def need_groups():
    """Skips where the server does not offer JoinGroup."""
    text = tool("org.apache.kafka.tools.BrokerApiVersionsCommand", "--bootstrap-server",
                BOOTSTRAP).stdout
    if not re.search(r"\bJoinGroup\(11\): \d+ to", text):
        raise suite.Skip("reads in a consumer group, which the server does not offer")


@case(limit_s=500)
def consumer_perf():
    need_groups()
    name = create("tool-consumer-perf", 2)
    tool("org.apache.kafka.tools.ProducerPerformance", "--topic", name, "--num-records", 2000,
         "--record-size", 100, "--throughput", -1, "--bootstrap-server", BOOTSTRAP)
    text = tool("org.apache.kafka.tools.ConsumerPerformance", "--topic", name, "--num-records", 2000,
                "--timeout", 60000, "--bootstrap-server", BOOTSTRAP).stdout
    values = text.strip().splitlines()[-1].split(",")
    equal(int(values[4]), 2000, f"records read in {text[-300:]!r}")


@case(limit_s=500)
def verifiable_consumer():
    need_groups()
    name = create("tool-verifiable-consumer", 2)
    tool("org.apache.kafka.tools.VerifiableProducer", "--topic", name, "--max-messages", 500,
         "--bootstrap-server", BOOTSTRAP, "--acks", -1)
    text = tool("org.apache.kafka.tools.VerifiableConsumer", "--topic", name, "--group-id",
                f"group-{name}", "--max-messages", 500, "--bootstrap-server", BOOTSTRAP,
                "--reset-policy", "earliest").stdout
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    equal(sum(line["count"] for line in lines if line["name"] == "records_consumed"), 500, "records")
    committed = [line for line in lines if line["name"] == "offsets_committed"]
    assert committed and all(line["success"] for line in committed), committed[-3:]


@case(limit_s=240)
def broker_api_versions():
    text = tool("org.apache.kafka.tools.BrokerApiVersionsCommand", "--bootstrap-server",
                BOOTSTRAP).stdout
    for name, version in (("Produce", 13), ("Fetch", 18), ("Metadata", 13), ("ApiVersions", 5)):
        found = re.search(rf"\b{name}\(\d+\): \d+ to (\d+)", text)
        assert found, f"{name} is not offered"
        assert int(found[1]) >= version or suite.SERVER == "kafka", f"{name} only to {found[1]}"


@case(limit_s=240)
def delete_records():
    name = create("tool-delete", 1)
    tool("org.apache.kafka.tools.ConsoleProducer", "--topic", name, "--bootstrap-server",
         BOOTSTRAP, stdin="a\nb\nc\n")
    request = Path("delete.json")
    request.write_text(json.dumps({"version": 1, "partitions": [
        {"topic": name, "partition": 0, "offset": 2}]}))
    text = tool("org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server", BOOTSTRAP,
                "--offset-json-file", request).stdout
    assert re.search(r"low_watermark:\s*2", text), text
    out = tool("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", BOOTSTRAP,
               "--topic", name, "--time", "earliest").stdout
    assert f"{name}:0:2" in out, out


def consumer_groups(*arguments, ok=True):
    return tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", BOOTSTRAP,
                *arguments, ok=ok)


def offsets_of(text, topic):
    """Partition to new (or current) offset, of a table of the tool."""
    found = {}
    for line in text.splitlines():
        row = re.search(rf"\b{re.escape(topic)}\s+(\d+)\s+(\d+)\b", line)
        if row:
            found[int(row[1])] = int(row[2])
    return found


@case(limit_s=900)
def kafka_consumer_groups():
    need_groups()
    name = create("tool-groups", 2)
    group = f"group-{name}"
    tool("org.apache.kafka.tools.VerifiableProducer", "--topic", name, "--max-messages", 200,
         "--bootstrap-server", BOOTSTRAP, "--acks", -1, "--repeating-keys", 50)
    ends = end_offsets(name)
    tool("org.apache.kafka.tools.VerifiableConsumer", "--topic", name, "--group-id", group, "--max-messages", 200,
         "--bootstrap-server", BOOTSTRAP, "--reset-policy", "earliest")
    assert group in consumer_groups("--list").stdout.split(), "not listed"
    assert re.search(rf"{group}\s+Empty", consumer_groups("--list", "--state", "Empty").stdout), "not listed as empty"
    text = tool("org.apache.kafka.tools.GroupsCommand", "--bootstrap-server", BOOTSTRAP, "--list").stdout
    assert re.search(rf"{group}\s+Classic\s+consumer", text), text
    equal(offsets_of(consumer_groups("--describe", "--group", group).stdout, name), ends, "committed offsets")
    text = consumer_groups("--describe", "--group", group, "--state").stdout
    assert re.search(r"Empty\s+0", text), text

    def reset(*how):
        text = consumer_groups("--reset-offsets", "--group", group, "--topic", name, "--execute", *how).stdout
        return offsets_of(text, name)

    equal(reset("--to-earliest"), {0: 0, 1: 0}, "--to-earliest")
    equal(reset("--to-latest"), ends, "--to-latest")
    equal(reset("--shift-by", -5), {p: o - 5 for p, o in ends.items()}, "--shift-by")
    equal(reset("--to-current"), {p: o - 5 for p, o in ends.items()}, "--to-current")
    equal(reset("--to-offset", 3), {p: min(3, o) for p, o in ends.items()}, "--to-offset")
    equal(reset("--to-datetime", "2020-01-01T00:00:00.000"), {0: 0, 1: 0}, "--to-datetime")
    equal(reset("--by-duration", "PT0S"), ends, "--by-duration")
    plan = Path(f"{name}.csv")
    plan.write_text(f'"{name}",0,1\n"{name}",1,2\n')
    text = consumer_groups("--reset-offsets", "--group", group, "--from-file", plan, "--execute").stdout
    equal(offsets_of(text, name), {0: min(1, ends[0]), 1: min(2, ends[1])}, "--from-file")
    equal(offsets_of(consumer_groups("--describe", "--group", group).stdout, name),
          {0: min(1, ends[0]), 1: min(2, ends[1])}, "committed after the resets")

    consumer_groups("--delete-offsets", "--group", group, "--topic", f"{name}:0")
    equal(set(offsets_of(consumer_groups("--describe", "--group", group).stdout, name)) - {0}, {1}, "left")
    consumer_groups("--delete", "--group", group)
    assert group not in consumer_groups("--list").stdout.split(), "still listed after the deletion"
    gone = consumer_groups("--describe", "--group", group, ok=False)
    assert "GroupIdNotFoundException" in gone.stdout + gone.stderr, gone.stdout + gone.stderr


@case(limit_s=500)
def kafka_consumer_groups_of_live_members():
    need_groups()
    name = create("tool-live", 2)
    group = f"group-{name}"
    command = [JAVA, "-XX:TieredStopAtLevel=1", "-Xmx256m", f"-Dlog4j2.configurationFile={CONFIG}", "-cp", CLASSPATH,
               "org.apache.kafka.tools.VerifiableConsumer", "--topic", name, "--group-id", group,
               "--bootstrap-server", BOOTSTRAP]
    consumer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        for line in consumer.stdout:
            if "partitions_assigned" in line:
                break
        text = consumer_groups("--describe", "--group", group, "--members", "--verbose").stdout
        assert re.search(rf"{name}[:(]", text) and "/127.0.0.1" in text, text
        text = consumer_groups("--describe", "--group", group, "--state").stdout
        assert re.search(r"range\s+Stable\s+1", text), text
        refused = consumer_groups("--delete", "--group", group, ok=False)
        assert "not empty" in (refused.stdout + refused.stderr).lower(), refused.stdout + refused.stderr
    finally:
        consumer.terminate()
        consumer.wait(60)


suite.cannot("the tools are programs around the clients of the java suite, which does it",
             "round_trip", "codecs", "large_records", "too_large", "offsets_by_time",
             "two_hundred_connections", "idempotent_retry", "restart_in_the_middle")

suite.main()
