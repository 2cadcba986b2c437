"""The compaction test's librdkafka side: a producer that keeps a model of its keys, and readers.

Needs the interpreter of deps.python_venv(). A model is {key: value}, with "" for a deleted key.
"""
import os
import random
import subprocess
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from . import deps
from .recovery import KEEP_BROKERS

TOMBSTONE_ONE_IN = 10
FLUSH_TIMEOUT_S = 180


def create_topic(bootstrap, topic, partitions, config):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(60)


class LibrdkafkaLoad:
    """Overwrites and deletes its own keys at a steady rate, on a thread of its own."""

    def __init__(self, bootstrap, topic, keys, records, rate, seed):
        self.topic, self.keys, self.records, self.rate = topic, keys, records, rate
        self.random = random.Random(seed)
        self.found, self.problems = {}, []
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "client.id": "rdk", "enable.idempotence": True,
            "acks": "all", "linger.ms": 5, "compression.type": "zstd",
            **KEEP_BROKERS, "delivery.timeout.ms": 300_000,
            "queue.buffering.max.messages": 200_000, "retry.backoff.ms": 20,
            "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200, "log_level": 0})
        self.thread = threading.Thread(target=self._run, name="rdk")
        self.thread.start()

    def _run(self):
        begin = time.monotonic()
        for i in range(self.records):
            key = f"rdk-{self.random.randrange(self.keys)}"
            value = None
            if self.random.randrange(TOMBSTONE_ONE_IN):
                value = f"{i}:{self.random.randbytes(self.random.randrange(100, 300)).hex()}"
            self.found[key] = value or ""
            self.producer.produce(self.topic, value, key, on_delivery=self._delivered)
            self.producer.poll(0)
            ahead = i / self.rate - (time.monotonic() - begin)
            if ahead > 0.02:
                self.producer.poll(ahead)
        left = self.producer.flush(FLUSH_TIMEOUT_S)
        if left:
            self.problems.append(f"librdkafka: {left} records without an outcome")

    def _delivered(self, error, _message):
        if error is not None and len(self.problems) < 3:
            self.problems.append(f"librdkafka: {error}")

    def running(self):
        return self.thread.is_alive()

    def model(self):
        self.thread.join()
        return self.found, self.problems


class JavaLoad:
    """java/CompactLoad.java."""

    def __init__(self, bootstrap, topic, keys, records, rate, seed, path):
        classpath = deps.java_classes("java", deps.maven_classpath("java"))
        self.path = path
        self.process = subprocess.Popen(
            [deps.tool("java"), "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", classpath, "CompactLoad",
             "java", topic, str(keys), str(records), str(rate), str(seed)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env=dict(os.environ, TG_BOOTSTRAP=bootstrap, TG_MODEL=str(path)))

    def running(self):
        return self.process.poll() is None

    def model(self):
        said, _ = self.process.communicate(timeout=FLUSH_TIMEOUT_S + 300)
        if self.process.returncode:
            return {}, [f"java: exit {self.process.returncode}: {said[-300:]}"]
        lines = self.path.read_text().splitlines()
        return dict(line.split("\t", 1) for line in lines), []


class Reader:
    """Reads all partitions from the start; the last value of each key, and what stood at which offset."""

    def __init__(self, bootstrap, topic, partitions):
        self.topic, self.partitions = topic, partitions
        self.last, self.at, self.problems = {}, {}, []
        self.records = 0
        self.positions = dict.fromkeys(range(partitions), -1)
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "unused", "auto.offset.reset": "error",
            "enable.auto.commit": False, "log_level": 0, **KEEP_BROKERS,
            "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200})
        self.consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        self.stopping = threading.Event()
        self.thread = None

    def follow(self):
        self.thread = threading.Thread(target=self._follow, name="follower")
        self.thread.start()

    def _follow(self):
        while not self.stopping.is_set():
            self._take(self.consumer.consume(1000, 0.2))

    def read_to_end(self, timeout_s):
        ends = {p: self.consumer.get_watermark_offsets(TopicPartition(self.topic, p), timeout=60)[1]
                for p in range(self.partitions)}
        deadline = time.monotonic() + timeout_s
        while any(self.positions[p] + 1 < end for p, end in ends.items()):
            if time.monotonic() > deadline:
                self.problems.append(f"not at the end {ends} after {timeout_s} s: {self.positions}")
                break
            self._take(self.consumer.consume(5000, 0.5))
        return self

    def stop(self):
        self.stopping.set()
        if self.thread:
            self.thread.join()

    def _take(self, messages):
        for message in messages:
            if message.error():
                if message.error().code() in (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET):
                    self.problems.append(f"{message.error()} in partition {message.partition()}")
                continue
            partition, offset = message.partition(), message.offset()
            if offset <= self.positions[partition]:
                self.problems.append(f"offset {offset} behind {self.positions[partition]} in {partition}")
            self.positions[partition] = offset
            record = (message.key().decode(), (message.value() or b"").decode())
            self.last[record[0]] = record[1]
            self.at[partition, offset] = record
            self.records += 1
