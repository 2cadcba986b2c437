"""The rows of the macro benchmark: what runs, what is taken from it, and what it should reach.

A row's run(bench, server, quick) returns one number; the driver alternates the servers, repeats,
and takes medians. `better` says which direction is good; targets are against Kafka (ratio) or
absolute, as in docs/performance.md.
"""
from dataclasses import dataclass, replace
from typing import Callable, Optional

MB = 1 << 20


@dataclass(frozen=True)
class Row:
    name: str
    unit: str
    better: str  # "more" or "less"
    take: Callable  # measurement dict -> number
    ratio: Optional[float] = None  # Tidegate must be so many times better than Kafka
    limit: Optional[float] = None  # Tidegate's own number must be at least / at most this


@dataclass(frozen=True)
class Scenario:
    name: str
    flush: str  # "os" or "ack": same durability on both; "memory": no Kafka; "cold": starts its own
    run: Callable  # (bench, server, or its kind when cold) -> measurement dict
    rows: tuple
    rounds: int = 3
    in_quick: bool = True


def megabytes_per_second(m):
    return m["bytes"] / 1e6 / m["seconds"]


def cpu_per_gigabyte(m):
    return m["cpu_seconds"] / (m["bytes"] / 1e9)


def requests_per_second(m):
    return m["requests"] / m["seconds"]


def cpu_us_per_request(m):
    return m["cpu_seconds"] * 1e6 / m["requests"]


def milliseconds(key):
    return lambda m: m[key] / 1000


def produce(partitions, quick_mb=64, full_mb=512, records=64, **options):
    def run(bench, server):
        topic = bench.topic(server, partitions)
        return bench.load(server, "produce", topic=topic, partitions=partitions,
                          records_per_batch=records, value_bytes=1024,
                          total_bytes=(quick_mb if bench.quick else full_mb) * MB, **options)
    return run


def hundred_thousand(bench, server):
    """100,000 records of 1 KB in batches of ten, five requests in flight as librdkafka and Java have them."""
    topic = bench.topic(server, 1)
    return bench.load(server, "produce", topic=topic, records_per_batch=10, value_bytes=1024, in_flight=5,
                      total_bytes=0, requests=1000 if bench.quick else 10000)


def fetch(**options):
    def run(bench, server):
        topic = bench.filled_topic(server, (64 if bench.quick else 512) * MB)
        return bench.load(server, "fetch", topic=topic, value_bytes=1024,
                          total_bytes=(256 if bench.quick else 1024) * MB, **options)
    return run


def small_batches(bench, server):
    topic = bench.topic(server, 1)
    return bench.load(server, "latency", topic=topic, records_per_batch=1, value_bytes=100,
                      requests=3000 if bench.quick else 20000)


def pipelined_produce(bench, server):
    topic = bench.topic(server, 1)
    return bench.load(server, "produce", topic=topic, records_per_batch=1, value_bytes=100,
                      in_flight=64, total_bytes=(1 if bench.quick else 5) * MB)


def pipelined_metadata(bench, server):
    topic = bench.shared_topic(server)
    return bench.load(server, "metadata", topic=topic, in_flight=64,
                      requests=10000 if bench.quick else 50000)


def latency(bench, server):
    topic = bench.topic(server, 1)
    return bench.load(server, "latency", topic=topic, records_per_batch=1, value_bytes=1024,
                      requests=1000 if bench.quick else 5000)


def end_to_end(bench, server):
    topic = bench.topic(server, 1)
    return bench.load(server, "e2e", topic=topic, value_bytes=1024, rate=1000,
                      seconds=3 if bench.quick else 10)


def idle_connections(bench, kind):
    return bench.idle(kind, 1000)


def many_topics(bench, server):
    # A Kafka broker needs minutes for 10,000 topics; it gets a tenth, and is scaled by time a topic.
    count = 1000 if bench.quick or bench.is_kafka(server) else 10000
    measured = bench.load(server, "create", topic=bench.name("many"), partitions=1, requests=count)
    measured["create_seconds"] *= 10000 / count
    measured["list_seconds"] *= 10000 / count
    return measured


def thousand_dirty(bench, server):
    topic = bench.topic(server, 1000)
    return bench.load(server, "produce", topic=topic, partitions=1000, records_per_batch=1,
                      value_bytes=1024, total_bytes=(8 if bench.quick else 64) * MB)


def cold_start(bench, kind):
    return bench.cold_start(kind)


def commits_of_groups(bench, kind):
    groups = 1000 if bench.quick else 10000
    return bench.group_load(kind, "commits", {"requests": 20000}, groups=groups, connections=8, in_flight=32,
                            requests=50000 if bench.quick else 200000) | {"groups": groups}


def many_groups(bench, kind):
    groups = 1000 if bench.quick else 10000
    return bench.group_load(kind, "groups", {"groups": 1000, "requests": 10000}, groups=groups, connections=8,
                            in_flight=32, requests=50000 if bench.quick else 200000)


def one_large_group(bench, kind):
    return bench.group_load(kind, "group", {"members": 100, "requests": 10000}, members=500,
                            requests=20000 if bench.quick else 100000)


def group_cpu(phase):
    return lambda m: m[f"{phase}_cpu_seconds"] * 1e6 / m["requests"]


def group_kilobytes(each):
    return lambda m: (m["formed_bytes"] - m["connected_bytes"]) / 1024 / m[each]


def throughput_rows(label, ratio, cpu_ratio):
    return (Row(f"{label}: throughput", "MB/s", "more", megabytes_per_second, ratio=ratio),
            Row(f"{label}: server CPU", "s/GB", "less", cpu_per_gigabyte, ratio=cpu_ratio))


def latency_rows(label, prefix, p99_limit=None):
    return (Row(f"{label}: p50", "ms", "less", milliseconds(f"{prefix}_p50_us")),
            Row(f"{label}: p99", "ms", "less", milliseconds(f"{prefix}_p99_us"), ratio=1.0,
                limit=p99_limit),
            Row(f"{label}: p99.9", "ms", "less", milliseconds(f"{prefix}_p999_us")))


def hundred_thousand_rows(label, p99_ratio=None):
    rate = Row(f"100,000 records, {label}: rate", "records/s", "more", lambda m: m["records"] / m["seconds"])
    p50, p99, p999 = latency_rows(f"100,000 records, {label}: ack", "ack")
    return rate, p50, replace(p99, ratio=p99_ratio), p999


SCENARIOS = [
    Scenario("100k-memory", "memory", hundred_thousand, hundred_thousand_rows("memory engine")),
    Scenario("100k-os", "os", hundred_thousand, hundred_thousand_rows("embedded engine, os", 1.0)),
    Scenario("produce-1", "os", produce(1),
             throughput_rows("produce, 64 KB batches, 1 partition, os", 3, 3.5)),
    Scenario("produce-16", "os", produce(16),
             throughput_rows("produce, 64 KB batches, 16 partitions, os", 3, 3.5)),
    Scenario("fetch-start", "os", fetch(), throughput_rows("fetch from the start", 1.5, 1)),
    Scenario("fetch-tail", "os", fetch(tail_bytes=16 * MB),
             throughput_rows("fetch of the newest 16 MB, again and again", 1.5, 1)),
    Scenario("fetch-4", "os", fetch(connections=4),
             throughput_rows("fetch from the start, 4 readers", None, 1), in_quick=False),
    Scenario("small-batches", "os", small_batches, (
        Row("100-byte batches, one in flight: rate", "requests/s", "more", requests_per_second),
        Row("100-byte batches, one in flight: server CPU", "us/request", "less",
            cpu_us_per_request, ratio=8))),
    Scenario("pipelined-produce", "os", pipelined_produce, (
        Row("100-byte batches, 64 in flight, one connection: rate", "requests/s", "more",
            requests_per_second, ratio=15),
        Row("100-byte batches, 64 in flight, one connection: server CPU", "us/request", "less",
            cpu_us_per_request, ratio=8))),
    Scenario("pipelined-metadata", "os", pipelined_metadata, (
        Row("Metadata, 64 in flight, one connection: rate", "requests/s", "more",
            requests_per_second, ratio=15),
        Row("Metadata, 64 in flight, one connection: server CPU", "us/request", "less",
            cpu_us_per_request, ratio=8))),
    Scenario("latency-os", "os", latency, latency_rows("one in flight, acks=all, os", "ack")),
    Scenario("end-to-end", "os", end_to_end, latency_rows("end to end at 1,000 msg/s, os", "e2e")),
    Scenario("100k-ack", "ack", hundred_thousand, hundred_thousand_rows("embedded engine, ack", 1.0)),
    Scenario("produce-1-ack", "ack", produce(1, 16, 256),
             throughput_rows("produce, 64 KB batches, 1 partition, ack", 3, 3.5)),
    Scenario("produce-16-ack", "ack", produce(16, 16, 256),
             throughput_rows("produce, 64 KB batches, 16 partitions, ack", 3, 3.5),
             in_quick=False),
    Scenario("produce-1000-ack", "ack", thousand_dirty,
             throughput_rows("produce, 1 KB to each of 1,000 partitions, ack", None, None),
             rounds=1, in_quick=False),
    Scenario("latency-ack", "ack", latency, latency_rows("one in flight, acks=all, ack", "ack")),
    Scenario("cold-start", "cold", cold_start, (
        Row("exec to first Metadata answer, empty directory", "ms", "less",
            lambda m: m["seconds"] * 1000, limit=50),
        Row("idle memory", "MB RSS", "less", lambda m: m["rss_mb"], limit=25))),
    Scenario("idle-connections", "cold", idle_connections, (
        Row("1,000 idle connections: RSS each", "KB", "less", lambda m: m["kb_each"], limit=12),),
        rounds=1),
    Scenario("groups-commits", "cold", commits_of_groups, (
        Row("10,000 groups: commits, interval", "commits/s", "more", requests_per_second, limit=20000),
        Row("10,000 groups: server CPU of a commit", "us", "less", group_cpu("commit")),
        Row("10,000 groups: memory of one without members, one offset", "KB", "less",
            group_kilobytes("groups")))),
    Scenario("groups-many", "cold", many_groups, (
        Row("10,000 groups of one member: all stable", "s", "less", lambda m: m["form_seconds"]),
        Row("10,000 groups of one member: memory of one", "KB", "less", group_kilobytes("groups")),
        Row("10,000 groups of one member: heartbeats, 256 in flight", "1/s", "more", requests_per_second),
        Row("10,000 groups of one member: server CPU of a heartbeat", "us", "less", group_cpu("heartbeat")))),
    Scenario("groups-large", "cold", one_large_group, (
        Row("group of 500 members from nothing: stable", "ms", "less", lambda m: m["form_seconds"] * 1000),
        Row("group of 500 members, all rejoin: stable", "ms", "less",
            lambda m: m["rebalance_seconds"] * 1000),
        Row("group of 500 members, all rejoin: server CPU", "ms", "less",
            lambda m: m["rebalance_cpu_seconds"] * 1000),
        Row("group of 500 members: memory of a member", "KB", "less", group_kilobytes("members")),
        Row("group of 500 members: server CPU of a heartbeat", "us", "less", group_cpu("heartbeat")))),
    Scenario("topics", "os", many_topics, (
        Row("10,000 topics: create", "s", "less", lambda m: m["create_seconds"], limit=5),
        Row("10,000 topics: list all", "ms", "less", lambda m: m["list_seconds"] * 1000,
            limit=100)), rounds=1),
]
