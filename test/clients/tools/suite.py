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


suite.cannot("the tools are programs around the clients of the java suite, which does it",
             "round_trip", "codecs", "large_records", "too_large", "offsets_by_time",
             "two_hundred_connections", "idempotent_retry", "restart_in_the_middle")

suite.main()
