"""Kafka's own command line tools for topics, configs and records; groups_suite.py has those for groups."""
import json
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kafka_tools import (BOOTSTRAP, SERVER, consume, create, end_offsets, need_groups,  # noqa: E402
                         produce, suite, tool, topics)
from suite import GROWS, case, equal, topic_name  # noqa: E402


@case(limit_s=500)
def kafka_topics():
    name = create("tool-topics", 2, "--config", "retention.ms=3600000")
    assert name in topics("--list").stdout.split(), "not listed"
    text = topics("--describe", "--topic", name).stdout
    assert re.search(r"PartitionCount:\s*2", text), text
    assert "retention.ms=3600000" in text, text
    equal(len(re.findall(r"Leader:\s*\d+", text)), 2, "leaders")
    grown = topics("--alter", "--topic", name, "--partitions", 4, ok=GROWS)
    assert GROWS or "broker path" in grown.stdout + grown.stderr, grown
    assert re.search(r"PartitionCount:\s*" + ("4" if GROWS else "2"), topics("--describe", "--topic", name).stdout)
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


def quotas(*arguments, ok=True):
    return tool("kafka.admin.ConfigCommand", "--bootstrap-server", BOOTSTRAP, *arguments, ok=ok)


def described_quotas(entity, *lines):
    """Waits for these lines among what is told of the entity: Kafka's broker part follows its controller."""
    for left in range(20, -1, -1):
        text = quotas("--describe", *entity).stdout
        if all(line in text for line in lines) if lines else "byte_rate" not in text:
            return
        assert left, f"{lines} are not in {text!r}"
        time.sleep(0.2)


@case(limit_s=500)
def kafka_configs_of_quotas():
    user, client = topic_name("user"), topic_name("client")
    of_client = ("--entity-type", "clients", "--entity-name", client)
    of_both = ("--entity-type", "users", "--entity-name", user, *of_client)
    of_default = ("--entity-type", "users", "--entity-name", user, "--entity-type", "clients", "--entity-default")
    for entity, rate in ((of_client, 1024), (of_both, 2048), (of_default, 4096)):
        quotas("--alter", "--add-config", f"producer_byte_rate={rate},consumer_byte_rate={rate + 1}", *entity)
    quotas("--alter", "--add-config", "request_percentage=37.5", *of_client)
    described_quotas(of_client, f"client-id '{client}'", "producer_byte_rate=1024.0", "consumer_byte_rate=1025.0",
                     "request_percentage=37.5")
    described_quotas(of_both, f"user-principal '{user}', client-id '{client}'", "producer_byte_rate=2048.0")
    described_quotas(of_default, f"user-principal '{user}', the default client-id", "producer_byte_rate=4096.0")
    refused = quotas("--alter", "--add-config", "producer_byte_rate=-1", *of_client, ok=False)
    assert refused.returncode != 0, refused
    quotas("--alter", "--delete-config", "producer_byte_rate", *of_client)
    described_quotas(of_client, "Quota configs for client-id", "consumer_byte_rate=1025.0")
    quotas("--alter", "--delete-config", "consumer_byte_rate,request_percentage", *of_client)
    for entity in (of_both, of_default):
        quotas("--alter", "--delete-config", "producer_byte_rate,consumer_byte_rate", *entity)
    for entity in (of_client, of_both, of_default):
        described_quotas(entity)


@case(limit_s=500)
def producer_perf_under_a_quota():
    name = create("tool-quota", 1)
    entity = ("--entity-type", "clients", "--entity-name", "perf-producer-client")  # as the tool calls itself
    quotas("--alter", "--add-config", "producer_byte_rate=100000", *entity)
    described_quotas(entity, "producer_byte_rate=100000.0")
    text = tool("org.apache.kafka.tools.ProducerPerformance", "--topic", name, "--num-records", 1500,
                "--record-size", 1000, "--throughput", -1, "--bootstrap-server", BOOTSTRAP, "--print-metrics",
                "--command-property", "linger.ms=5").stdout
    throttle = re.search(r"producer-metrics:produce-throttle-time-max:\S*\s*:\s*([\d.]+)", text)
    assert throttle and float(throttle[1]) > 0, text[-2000:]
    equal(sum(end_offsets(name).values()), 1500, "sum of end offsets")
    quotas("--alter", "--delete-config", "producer_byte_rate", *entity)


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
    lines = produce(name, 1000)
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
    produce(name, 500)
    lines = consume(name, f"group-{name}", 500)
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
        assert int(found[1]) >= version or SERVER == "kafka", f"{name} only to {found[1]}"


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


@case(limit_s=240)
def log_dirs():
    name = create("tool-log-dirs", 2)
    produce(name, 50)
    text = tool("org.apache.kafka.tools.LogDirsCommand", "--bootstrap-server", BOOTSTRAP, "--describe",
                "--topic-list", name).stdout
    broker = json.loads(next(line for line in text.splitlines() if line.startswith("{")))["brokers"][0]
    assert len(broker["logDirs"]) == 1, text
    directory = broker["logDirs"][0]
    assert directory["error"] is None and directory["logDir"], text
    sizes = {p["partition"]: p["size"] for p in directory["partitions"]}
    assert set(sizes) == {f"{name}-0", f"{name}-1"}, sizes
    assert sum(sizes.values()) > 50 * 10, sizes


@case(limit_s=240)
def metadata_quorum():
    status = tool("org.apache.kafka.tools.MetadataQuorumCommand", "--bootstrap-server", BOOTSTRAP, "describe",
                  "--status").stdout
    assert re.search(r"LeaderId:\s+1\b", status), status
    assert re.search(r"CurrentVoters:\s+\[.*1", status), status
    replication = tool("org.apache.kafka.tools.MetadataQuorumCommand", "--bootstrap-server", BOOTSTRAP,
                       "describe", "--replication").stdout
    assert re.search(r"^1\s.*Leader", replication, re.MULTILINE), replication


@case(limit_s=240)
def reassignments_and_elections():
    name = create("tool-elect", 2)
    text = tool("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--bootstrap-server", BOOTSTRAP,
                "--list").stdout
    assert "No partition reassignments found" in text, text
    done = tool("org.apache.kafka.tools.LeaderElectionCommand", "--bootstrap-server", BOOTSTRAP,
                "--election-type", "preferred", "--topic", name, "--partition", 1)
    assert "Valid replica already elected for partitions" in done.text, done.text
    done = tool("org.apache.kafka.tools.LeaderElectionCommand", "--bootstrap-server", BOOTSTRAP,
                "--election-type", "unclean", "--topic", name, "--partition", 7, ok=False)
    assert done.returncode != 0 and "UnknownTopicOrPartition" in done.text, done.text


@case(limit_s=240)
def describe_producers():
    name = create("tool-producers", 1)
    tool("org.apache.kafka.tools.ConsoleProducer", "--topic", name, "--bootstrap-server", BOOTSTRAP,
         stdin="a\nb\nc\n")  # idempotent, as is the default
    out = tool("org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server", BOOTSTRAP,
               "describe-producers", "--topic", name, "--partition", 0).stdout
    head, *rows = [line.split() for line in out.splitlines() if line.strip()]
    assert head[:2] == ["ProducerId", "ProducerEpoch"] and len(rows) == 1, out
    values = dict(zip(head, rows[0]))
    assert int(values["ProducerId"]) >= 0 and int(values["LastTimestamp"]) > 0, out
    assert values["LastSequence"] == "2" and values["CurrentTransactionStartOffset"] == "None", out


suite.cannot("the tools are programs around the clients of the java suite, which does it",
             "round_trip", "codecs", "large_records", "too_large", "offsets_by_time",
             "two_hundred_connections", "idempotent_retry", "restart_in_the_middle")

suite.main()
