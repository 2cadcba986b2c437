"""The engine seaweedmq beside SeaweedFS's own Kafka gateway, on one SeaweedFS: `run --engine seaweedmq`.

One master, volume server, filer and MQ broker of the binary that TIDEGATE_WEED names serve both. The two
gateways get the same load in turn. CPU is taken of the gateway, and of all SeaweedFS's processes together.
Records are filled in, then read by a gateway that was started afresh: nothing is in its memory.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from typing import Callable, Optional

from harness import deps, seaweed, seaweed_others, servers
from measuring import cpu_seconds, fdatasync_ms, forget, machine, number

MB = 1 << 20
LOAD_TIMEOUT_S = 600
VOLUME_MEGABYTES = 1024
# What its broker has not written yet its gateway does not always find.
FLUSH_S = 60
GO_FETCH_VERSION = 7  # the newest that it knows
BROKER_MEMORY = 48 * MB  # that it keeps of a partition, and a little
BATCH_BYTES = 66_000  # of 64 records


class OnShared(servers.Tidegate):
    """On a SeaweedFS that others use as well."""

    def __init__(self, work_dir, binary, cluster, settings):
        super().__init__(work_dir, None, binary, "embedded", settings)
        self.engine, self.seaweed = "seaweedmq", cluster

    def _start_seaweed(self):
        pass

    def close(self):
        self.kill()


@dataclass(frozen=True)
class Row:
    name: str
    unit: str
    take: Callable
    better: str = "more"
    ratio: Optional[float] = None
    limit: Optional[float] = None


@dataclass(frozen=True)
class Scenario:
    name: str
    settings: tuple  # of Tidegate
    run: Callable  # (bench, gateway) -> measurement dict
    rows: tuple
    beside_go: bool = True


class Gateway:
    def __init__(self, name, address, pid, server=None):
        self.name, self.address, self.pid, self.server = name, address, pid, server
        self.is_ours = server is not None


class Bench:
    def __init__(self, options):
        self.options, self.quick = options, options.quick
        self.work = options.work_dir.parent / "seaweed-data"
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.cluster = seaweed.RealSeaweed(self.work, VOLUME_MEGABYTES)
        self.native = seaweed_others.NativeMessaging(self.cluster)
        self.ours, self.settings, self.count = None, None, 0
        self.reached = {}  # (scenario's key, gateway's name) -> bytes a second

    def start(self):
        self.cluster.start()
        self.native.start()
        self.go = Gateway("go", self.native.gateway, self.native.processes["mq.kafka.gateway"].pid)

    def close(self):
        self.stop_ours()
        self.native.close()
        self.cluster.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def stop_ours(self):
        if self.ours:
            self.ours.stop()
            self.ours.close()
        self.ours = self.settings = None

    def gateway(self, settings, afresh=False):
        if settings != self.settings or afresh:
            self.stop_ours()
            self.count += 1
            work = self.work / f"tidegate-{self.count}"
            work.mkdir()
            self.ours = OnShared(work, self.options.binary, self.cluster, settings)
            self.ours.start()
            self.settings = settings
        return Gateway("tidegate", self.ours.bootstrap, self.ours.process.pid, self.ours)

    def load(self, gateway, kind, **settings):
        os.sync()  # what earlier runs left dirty must not be written during this one
        if kind in ("produce", "paced"):
            for path in self.cluster.work_dir.glob("volume/*.dat"):
                forget(path)
        weed = [p.pid for p in {**self.cluster.processes, **self.native.processes}.values() if p.pid != self.go.pid]
        before = cpu_seconds(gateway.pid), sum(map(cpu_seconds, weed))
        command = [str(self.options.loadgen), kind, "--broker", gateway.address]
        for key, value in settings.items():
            command += ["--" + key.replace("_", "-"), str(value)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_TIMEOUT_S)
        if done.returncode != 0:
            raise RuntimeError(f"{kind}: {done.stderr.strip()}")
        measured = json.loads(done.stdout.splitlines()[-1])
        measured["cpu_seconds"] = cpu_seconds(gateway.pid) - before[0]
        measured["weed_cpu_seconds"] = sum(map(cpu_seconds, weed)) - before[1]
        return measured

    def topic(self, gateway):
        deadline = time.monotonic() + FLUSH_S
        while True:
            self.count += 1
            try:
                self.load(gateway, "create", topic=f"bench-{self.count}", partitions=1, requests=1)
                return f"bench-{self.count}-0"  # the generator numbers them
            except RuntimeError:  # its own gateway refuses now and then
                if gateway.is_ours or time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def received_bytes(self, gateway):
        """What ours has got from volume servers."""
        with urllib.request.urlopen(f"http://{gateway.server.admin}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines
                   if line.startswith("tidegate_seaweedmq_received_bytes_total"))


def produce(key, in_flight=64):
    def run(bench, gateway):
        size = (128 if bench.quick else 512) * MB if gateway.is_ours else (8 if bench.quick else 24) * MB
        topic = bench.topic(gateway)
        got = bench.load(gateway, "produce", topic=topic, in_flight=in_flight, total_bytes=size)
        bench.reached.setdefault((key, gateway.name), []).append(got["bytes"] / got["seconds"])
        return got
    return run


def quarter(key):
    """The time of acknowledgements at a quarter of what `key` reached, the median of this run."""
    def run(bench, gateway):
        if (key, gateway.name) not in bench.reached:
            produce(key)(bench, gateway)
        rate = statistics.median(bench.reached[key, gateway.name]) / 4 / BATCH_BYTES
        topic = bench.topic(gateway)
        bench.load(gateway, "paced", topic=topic, rate=max(1, round(rate)), seconds=1)
        return bench.load(gateway, "paced", topic=topic, rate=max(1, round(rate)), seconds=5 if bench.quick else 15)
    return run


def filled(bench, gateway, size):
    topic = bench.topic(gateway)
    bench.load(gateway, "produce", topic=topic, in_flight=64 if gateway.is_ours else 5, total_bytes=size)
    return topic


def catch_up(bench, gateway):
    if gateway.is_ours:
        settings = bench.settings
        size = (128 if bench.quick else 512) * MB
        topic = filled(bench, gateway, size)
        gateway = bench.gateway(settings, afresh=True)
        return bench.load(gateway, "fetch", topic=topic, total_bytes=size)
    # More than the broker holds in memory, of which the oldest is read.
    size = (4 if bench.quick else 16) * MB
    topic, deadline = filled(bench, gateway, BROKER_MEMORY + 2 * size), time.monotonic() + FLUSH_S
    time.sleep(12)  # two of its broker's intervals
    while True:
        try:
            return bench.load(gateway, "fetch", topic=topic, total_bytes=size, fetch_version=GO_FETCH_VERSION)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def seek(bench, gateway):
    settings = bench.settings
    topic = filled(bench, gateway, (128 if bench.quick else 512) * MB)
    gateway = bench.gateway(settings, afresh=True)
    before = bench.received_bytes(gateway)
    got = bench.load(gateway, "seek", topic=topic, requests=100 if bench.quick else 500, answer_bytes=64 << 10)
    got["received_bytes"] = bench.received_bytes(gateway) - before
    return got


def megabytes_per_second(m):
    return m["bytes"] / 1e6 / m["seconds"]


def cpu(key):
    return lambda m: m[key] / (m["bytes"] / 1e9)


def throughput_rows(label, ratio=None, cpu_limit=None):
    return (Row(f"{label}: throughput", "MB/s", megabytes_per_second, ratio=ratio),
            Row(f"{label}: CPU of the gateway", "s/GB", cpu("cpu_seconds"), "less", limit=cpu_limit),
            Row(f"{label}: CPU of SeaweedFS", "s/GB", cpu("weed_cpu_seconds"), "less"))


def latency_rows(label, prefix="ack", limit=None):
    return (Row(f"{label}: p50", "ms", lambda m: m[f"{prefix}_p50_us"] / 1000, "less"),
            Row(f"{label}: p99", "ms", lambda m: m[f"{prefix}_p99_us"] / 1000, "less", limit=limit))


LARGE = ("seaweedmq.chunk.bytes=1048576",)
UNSYNCED = ("seaweedmq.fsync=false",)
RECORD = ("seaweedmq.layout=record",)
BROKER = ("seaweedmq.path=broker",)
IN_MEMORY = ("seaweedmq.ack=broker",)  # of the broker

SCENARIOS = [
    Scenario("produce", UNSYNCED + LARGE, produce("unsynced"),
             throughput_rows("produce, `batch`, no fsync", 60, 2)),
    Scenario("quarter", UNSYNCED + LARGE, quarter("unsynced"),
             latency_rows("a quarter of that load: ack", limit=15)),
    Scenario("produce-fsync", LARGE, produce("synced"), throughput_rows("produce, `batch`, fsync", 25, 2)),
    Scenario("quarter-fsync", LARGE, quarter("synced"),
             latency_rows("a quarter of that load: ack, fsync", limit=15)),
    Scenario("produce-default", (), produce("default", 5),
             throughput_rows("produce, `batch`, all settings as they are, 5 in flight")),
    Scenario("produce-record", UNSYNCED + LARGE + RECORD, produce("record"),
             throughput_rows("produce, `record`, no fsync", 15)),
    Scenario("produce-record-fsync", LARGE + RECORD, produce("record-synced"),
             throughput_rows("produce, `record`, fsync")),
    Scenario("produce-broker", BROKER + IN_MEMORY, produce("broker"),
             throughput_rows("produce, broker path, `ack=broker`")),
    Scenario("quarter-broker", BROKER + IN_MEMORY, quarter("broker"),
             latency_rows("a quarter of that load: ack, broker path, `ack=broker`")),
    Scenario("produce-flushed", BROKER, produce("flushed"), throughput_rows("produce, broker path, `ack=flushed`")),
    Scenario("catch-up-broker", BROKER + IN_MEMORY, catch_up, throughput_rows("read from the start, broker path")),
    Scenario("catch-up", UNSYNCED + LARGE, catch_up, throughput_rows("read from the start, `batch`", 20, 2)),
    Scenario("catch-up-record", UNSYNCED + LARGE + RECORD, catch_up,
             throughput_rows("read from the start, `record`", 20)),
    Scenario("seek", UNSYNCED + LARGE, seek, latency_rows("64 KB anywhere in 512 MB, `batch`", "seek") + (
        Row("64 KB anywhere in 512 MB, `batch`: read from SeaweedFS for a byte that was asked for", "bytes",
            lambda m: m["received_bytes"] / (m["requests"] * (64 << 10)), "less"),), beside_go=False),
]


def measured_of(bench, scenario, rounds):
    runs = {"tidegate": [], "go": []}
    for turn in range(rounds):
        kinds = ["tidegate", "go"] if scenario.beside_go else ["tidegate"]
        for kind in (kinds if turn % 2 == 0 else kinds[::-1]):
            try:
                gateway = bench.go if kind == "go" else bench.gateway(scenario.settings)
                runs[kind].append(scenario.run(bench, gateway))
            except (RuntimeError, servers.ServerError, subprocess.TimeoutExpired) as error:
                print(f"  {scenario.name}: {kind}: {error}", file=sys.stderr, flush=True)
    return runs


def rows_of(scenario, runs):
    for row in scenario.rows:
        median = {kind: statistics.median(map(row.take, some)) if some else None for kind, some in runs.items()}
        ours, theirs = median["tidegate"], median["go"]
        ratio = None
        if ours and theirs:
            ratio = ours / theirs if row.better == "more" else theirs / ours
        wanted, reached = [], []
        if row.ratio:
            wanted.append(f"{row.ratio:g}x")
            reached.append(ratio is not None and ratio >= row.ratio)
        if row.limit:
            wanted.append(f"<= {row.limit:g}")
            reached.append(ours is not None and ours <= row.limit)
        yield {"scenario": scenario.name, "row": row.name, "unit": row.unit, "tidegate": ours, "go": theirs,
               "ratio": ratio, "target": ", ".join(wanted), "reached": all(reached) if reached else None}


def line_of(r):
    mark = {True: "yes", False: "**no**", None: ""}[r["reached"]]
    ratio = "" if r["ratio"] is None else f"{r['ratio']:.3g}x"
    return f"| {r['row']} | {r['unit']} | {number(r['tidegate'])} | {number(r['go'])} | {ratio} | {r['target']} | {mark} |"


def main(options):
    chosen = [s for s in SCENARIOS if not options.only or s.name in options.only]
    if options.list:
        print("\n".join(s.name for s in SCENARIOS))
        return 0
    if options.only and len(chosen) != len(set(options.only)):
        sys.exit("unknown scenario; --list names them")
    if not seaweed.real_binary():
        sys.exit("bench --engine seaweedmq needs TIDEGATE_WEED: the path of a SeaweedFS binary")
    rounds = options.rounds or (1 if options.quick else 3)
    results, raw, failed = [], {}, False
    try:
        bench = Bench(options)
    except deps.Missing as missing:
        sys.exit(str(missing))
    try:
        bench.start()
        sync = fdatasync_ms(bench.work)
        print(f"fdatasync of 4 KB here: p50 {sync['p50']:.2f} ms, p99 {sync['p99']:.2f} ms\n")
        print("| What | Unit | Tidegate | Go gateway | Ratio | Target | Reached |\n|---|---|---|---|---|---|---|",
              flush=True)
        for scenario in chosen:
            runs = measured_of(bench, scenario, rounds)
            raw[scenario.name] = runs
            failed |= any(len(some) < rounds for kind, some in runs.items() if kind == "tidegate" or scenario.beside_go)
            for row in rows_of(scenario, runs):
                results.append(row)
                print(line_of(row), flush=True)
    finally:
        bench.close()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(json.dumps({"machine": machine(), "fdatasync_ms": sync, "quick": options.quick,
                                           "rows": results, "raw": raw}, indent=1) + "\n")
    reached = [r["reached"] for r in results if r["reached"] is not None]
    print(f"\n{sum(reached)} of {len(reached)} targets reached; all numbers in {options.results}")
    return 1 if failed else 0
