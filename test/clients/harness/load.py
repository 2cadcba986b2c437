"""The load of the kill test: idempotent acks=all producers of three client families, and a reader.

Each writes its own stamped history; checker.history.merge() makes one of them. librdkafka runs in
this process (through confluent-kafka, so this needs the interpreter of deps.python_venv()), Java and
franz-go as programs of their own. A value names its sender, partition and number ("p1:0:42").
"""
import os
import subprocess
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from checker.history import Recorder

from . import deps, tether
from .recovery import KEEP_BROKERS

# Long enough that no record runs into its deadline because of a few slow restarts.
DELIVERY_TIMEOUT_MS = 300_000
QUEUE_RECORDS = 50_000
FLUSH_TIMEOUT_S = 120
ENDS_TIMEOUT_S = 60


def create_topic(bootstrap, topic, partitions):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(60)


class LibrdkafkaLoad:
    """One idempotent producer at a steady rate over all partitions, on a thread of its own."""

    family = "librdkafka"

    def __init__(self, name, bootstrap, topic, partitions, rate, path, idempotent=True):
        self.name, self.topic, self.partitions, self.rate = name, topic, partitions, rate
        self.path, self._acked = path, 0
        self._file = open(path, "w", encoding="utf-8")
        self.history = Recorder(self._file, stamped=True)
        self.stopping = threading.Event()
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "client.id": name, "enable.idempotence": idempotent,
            "acks": "all", "linger.ms": 3, **KEEP_BROKERS,
            "queue.buffering.max.messages": QUEUE_RECORDS + 1, "batch.num.messages": 100,
            "delivery.timeout.ms": DELIVERY_TIMEOUT_MS, "retry.backoff.ms": 20,
            "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200, "log_level": 0,
            "error_cb": self._error})
        self.fatal = None
        self.left = None
        self.thread = threading.Thread(target=self._run, name=name)
        self.thread.start()

    def acked(self):
        return self._acked

    def _error(self, error):
        if error.fatal():
            self.fatal = str(error)
            self.stopping.set()

    def _run(self):
        begin, number = time.monotonic(), 0
        while not self.stopping.is_set():
            due = int((time.monotonic() - begin) * self.rate)
            while number < due and not self.stopping.is_set() and len(self.producer) < QUEUE_RECORDS:
                self._send(number)
                number += 1
            self.producer.poll(0.01)
        self.left = self.producer.flush(FLUSH_TIMEOUT_S)

    def _send(self, number):
        partition, sequence = number % self.partitions, number // self.partitions
        value = f"{self.name}:{partition}:{sequence}"
        op = self.history.invoke(self.name, "send", tp=f"{self.topic}-{partition}", value=value,
                                 chained=True)

        def report(error, message):
            if error is None:
                self._acked += 1
                self.history.ok(op, offset=message.offset())
            else:
                self.history.unknown(op, why=str(error))

        self.producer.produce(self.topic, value.encode() + b" " * (number % 300),
                              partition=partition, on_delivery=report)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self._file.close()
        problems = []
        if self.fatal:
            problems.append(f"{self.name}: fatal producer error: {self.fatal}")
        if self.left:
            problems.append(f"{self.name}: {self.left} records without an outcome")
        return problems


class ProgramLoad:
    """A load program of another language: it goes on until a line comes on its standard input."""

    def __init__(self, family, command, name, bootstrap, topic, partitions, rate, path):
        self.family, self.name, self.path = family, name, path
        path.touch()
        self._reading = open(path, "rb")
        self._acked, self._rest = 0, b""
        self.process = tether.popen(
            [*command, name, topic, str(partitions), str(rate)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env=dict(os.environ, TG_BOOTSTRAP=bootstrap, TG_HISTORY=str(path)))

    def acked(self):
        """How many acknowledgements the history holds by now."""
        data = self._rest + self._reading.read()
        whole = data.rfind(b"\n") + 1
        self._acked += data.count(b'"type":"ok"', 0, whole)
        self._rest = data[whole:]
        return self._acked

    def stop(self):
        try:
            said, _ = self.process.communicate("stop\n", FLUSH_TIMEOUT_S + 30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            said, _ = self.process.communicate()
            return [f"{self.name}: did not end: {said[-300:]}"]
        problems = [f"{self.name}: {line}" for line in said.splitlines() if line.startswith("PROBLEM")]
        if self.process.returncode:
            problems.append(f"{self.name}: exit code {self.process.returncode}: {said[-300:]}")
        return problems


def _java():
    classpath = deps.java_classes("java", deps.maven_classpath("java"))
    return [deps.tool("java"), "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", classpath, "KillLoad"]


# How the command of each family is made; raises deps.Missing when its toolchain is not here.
FAMILIES = {"librdkafka": lambda: None, "java": _java,
            "franz-go": lambda: [str(deps.go_program("killload"))]}


def start_load(family, command, *arguments, idempotent=True):
    if family == "librdkafka":
        return LibrdkafkaLoad(*arguments, idempotent=idempotent)
    return ProgramLoad(family, command, *arguments)


class LoadReader:
    """Follows all partitions while the server dies and comes back; what it saw must stay true."""

    def __init__(self, bootstrap, topic, partitions, path, follow=True):
        self.bootstrap, self.topic, self.partitions = bootstrap, topic, partitions
        self.path = path
        self._file = open(path, "w", encoding="utf-8")
        self.history = Recorder(self._file, stamped=True)
        self.stopping = threading.Event()
        self.problems = []
        self.thread = threading.Thread(target=self._run, name="reader")
        if follow:
            self.thread.start()

    def _consumer(self, name):
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "unused",
                             "auto.offset.reset": "error", "enable.auto.commit": False,
                             "enable.partition.eof": True, "log_level": 0,
                             **KEEP_BROKERS, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200})
        consumer.assign([TopicPartition(self.topic, p, 0) for p in range(self.partitions)])
        self.history.note(name, "assign",
                          positions={f"{self.topic}-{p}": 0 for p in range(self.partitions)})
        return consumer

    def _run(self):
        consumer = self._consumer("tail")
        while not self.stopping.is_set():
            self._take("tail", consumer.consume(1000, 0.2))
        consumer.close()

    def _take(self, reader, messages):
        """Notes what one poll brought; the records of it as (partition, offset)."""
        places, records = [], []
        for message in messages:
            if not message.error():
                value = message.value().decode().rstrip()
                places.append((message.partition(), message.offset()))
                records.append([f"{self.topic}-{message.partition()}", message.offset(), value])
            elif message.error().code() in (KafkaError.OFFSET_OUT_OF_RANGE,
                                            KafkaError._AUTO_OFFSET_RESET):
                self.problems.append(f"{reader}: {message.error()} in partition "
                                     f"{message.partition()}: the log went back")
                self.stopping.set()
        if records:
            self.history.note(reader, "poll", records=records)
        return places

    def stop(self):
        self.stopping.set()
        self.thread.join()
        return self.problems

    def ends(self):
        """By partition. Where partitions may be moving, who is told to ask somebody else asks anew: what
        librdkafka remembers of leaders outlives such an answer here."""
        found, deadline = {}, time.monotonic() + ENDS_TIMEOUT_S
        while len(found) < self.partitions:
            consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "unused", "log_level": 0})
            try:
                while len(found) < self.partitions:
                    partition = TopicPartition(self.topic, len(found))
                    found[partition.partition] = consumer.get_watermark_offsets(partition, timeout=10)[1]
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            finally:
                consumer.close()
        return found

    def read_everything(self, timeout_s):
        """The final read, from the start to the end offsets of now, by a new consumer."""
        ends = self.ends()
        consumer = self._consumer("final")
        missing = {p for p, end in ends.items() if end > 0}
        deadline = time.monotonic() + timeout_s
        while missing and time.monotonic() < deadline:
            for partition, offset in self._take("final", consumer.consume(5000, 0.5)):
                if offset + 1 >= ends[partition]:
                    missing.discard(partition)
        consumer.close()
        if not missing:
            self.history.note("final", "drain",
                              offsets={f"{self.topic}-{p}": end for p, end in ends.items()})
        self._file.close()
        return [f"final read: partition {p} did not reach its end" for p in sorted(missing)]
