"""The load of the kill test: idempotent acks=all producers and a reader, through confluent-kafka.

Every event goes into one history (harness/history.py), which is what the verdict is made from.
Needs the interpreter of deps.python_venv().
"""
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

# Long enough that no record runs into its deadline because of a few slow restarts.
DELIVERY_TIMEOUT_MS = 300_000
QUEUE_RECORDS = 50_000


def create_topic(bootstrap, topic, partitions):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(60)


class LoadProducer:
    """One idempotent producer at a steady rate over all partitions, on a thread of its own."""

    def __init__(self, name, bootstrap, topic, partitions, rate, history):
        self.name, self.topic, self.partitions = name, topic, partitions
        self.rate, self.history = rate, history
        self.stopping = threading.Event()
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "client.id": name, "enable.idempotence": True,
            "acks": "all", "linger.ms": 3,
            "queue.buffering.max.messages": QUEUE_RECORDS + 1, "batch.num.messages": 100,
            "delivery.timeout.ms": DELIVERY_TIMEOUT_MS, "retry.backoff.ms": 20,
            "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200, "log_level": 0,
            "error_cb": self._error})
        self.fatal = None
        self.left = None
        self.thread = threading.Thread(target=self._run, name=name)
        self.thread.start()

    def _error(self, error):
        if error.fatal():
            self.fatal = str(error)
            self.stopping.set()

    def _run(self):
        begin, number = time.monotonic(), 0
        while not self.stopping.is_set():
            due = int((time.monotonic() - begin) * self.rate)
            while number < due and not self.stopping.is_set():
                if not self._send(number):
                    break
                number += 1
            self.producer.poll(0.01)
        self.left = self.producer.flush(120)

    def _send(self, number):
        partition, sequence = number % self.partitions, number // self.partitions
        value = f"{self.name}:{partition}:{sequence}"
        if len(self.producer) >= QUEUE_RECORDS:
            return False
        op = self.history.invoked(self.name, partition, value)

        def report(error, message):
            if error is None:
                self.history.sent(op, message.offset())
            else:
                self.history.unknown(op, str(error))

        self.producer.produce(self.topic, value.encode() + b" " * (number % 300),
                              partition=partition, on_delivery=report)
        return True

    def stop(self):
        self.stopping.set()
        self.thread.join()
        problems = []
        if self.fatal:
            problems.append(f"{self.name}: fatal producer error: {self.fatal}")
        if self.left:
            problems.append(f"{self.name}: {self.left} records without an outcome")
        return problems


class LoadReader:
    """Follows all partitions while the server dies and comes back; what it saw must stay true."""

    def __init__(self, bootstrap, topic, partitions, history):
        self.history, self.bootstrap = history, bootstrap
        self.topic, self.partitions = topic, partitions
        self.stopping = threading.Event()
        self.problems = []
        self.thread = threading.Thread(target=self._run, name="reader")
        self.thread.start()

    def _consumer(self):
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "unused",
                             "auto.offset.reset": "error", "enable.auto.commit": False,
                             "enable.partition.eof": True, "log_level": 0,
                             "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200})
        consumer.assign([TopicPartition(self.topic, p, 0) for p in range(self.partitions)])
        return consumer

    def _run(self):
        consumer = self._consumer()
        self.history.reading("tail", range(self.partitions))
        while not self.stopping.is_set():
            self._take("tail", consumer.consume(1000, 0.2))
        consumer.close()

    def _take(self, reader, messages):
        """Notes what one poll brought; the records of it."""
        records = []
        for message in messages:
            if not message.error():
                value = message.value().decode().rstrip()
                records.append((message.partition(), message.offset(), value))
            elif message.error().code() in (KafkaError.OFFSET_OUT_OF_RANGE,
                                            KafkaError._AUTO_OFFSET_RESET):
                self.problems.append(f"{reader}: {message.error()} in partition "
                                     f"{message.partition()}: the log went back")
                self.stopping.set()
        if records:
            self.history.read(reader, records)
        return records

    def stop(self):
        self.stopping.set()
        self.thread.join()
        return self.problems

    def read_everything(self, ends, timeout_s):
        """The final read, from the start to the given end offsets, by a new consumer."""
        consumer = self._consumer()
        self.history.reading("final", range(self.partitions))
        missing = {p for p, end in ends.items() if end > 0}
        deadline = time.monotonic() + timeout_s
        while missing and time.monotonic() < deadline:
            for partition, offset, _ in self._take("final", consumer.consume(5000, 0.5)):
                if offset + 1 >= ends[partition]:
                    missing.discard(partition)
        consumer.close()
        if not missing:
            self.history.drained("final", ends)
        return [f"final read: partition {p} did not reach its end" for p in sorted(missing)]

    def ends(self):
        consumer = self._consumer()
        found = {p: consumer.get_watermark_offsets(TopicPartition(self.topic, p), timeout=60)[1]
                 for p in range(self.partitions)}
        consumer.close()
        return found
