"""Publishers of SeaweedMQ's own that write to a topic before its Kafka clients do, and go on beside them.

Needs the interpreter of deps.python_venv("native-requirements.txt").
"""
import threading
import time

import grpc
from checker.history import Recorder
from confluent_kafka.admin import AdminClient

from .native import PATIENCE_S, Broker
from .servers import ServerError

BEFORE = 200  # records that a partition has when the first Kafka client comes
A_TIME = 10
PAUSE_S = 0.1


class NativeBeside:
    """One publisher a partition, on one thread. A broker acknowledges what it has in memory alone, so that no
    record of theirs is owed to anybody: each may be there, once, at one offset."""

    def __init__(self, address, topic, partitions, path):
        self.address, self.topic, self.partitions = address, topic, partitions
        self._file = open(path, "w", encoding="utf-8")
        self.history = Recorder(self._file, stamped=True)
        self.sent, self.answered, self.openings = 0, 0, 0
        self.stopping = threading.Event()
        self.broker = self.publishers = None
        self._open()
        self._publish(BEFORE)
        self.thread = threading.Thread(target=self._run, name="beside")

    def _open(self):
        self.broker = Broker(self.address)
        found = self.broker.partitions(self.topic) if self.openings else self.broker.configure(self.topic,
                                                                                                self.partitions)
        self.publishers = [self.broker.publisher(self.topic, partition) for partition in found]
        self.openings += 1

    def _publish(self, count):
        for number, publisher in enumerate(self.publishers):
            records = []
            for _ in range(count):
                value = f"beside:{number}:{self.sent}"
                op = self.history.invoke("beside", "send", tp=f"{self.topic}-{number}", value=value, idempotent=True)
                self.history.unknown(op, why="in the broker's memory")
                records.append((value.encode(), value.encode(), 0))
                self.sent += 1
            publisher.publish(records)
            self.answered += count

    def _run(self):
        while not self.stopping.wait(PAUSE_S):
            try:
                if self.broker is None:
                    self._open()
                self._publish(A_TIME)
            except (grpc.RpcError, ServerError, StopIteration):
                if self.broker is not None:
                    self.broker.close()
                self.broker = None

    def stop(self):
        print(f"beside them: {self.answered} records of {self.openings} publishers were answered")
        self.stopping.set()
        self.thread.join()
        if self.broker is not None:
            self.broker.close()
        self._file.close()


def _wait_for_topic(bootstrap, topic, partitions):
    """Until the gateway shows it with so many partitions."""
    admin, deadline = AdminClient({"bootstrap.servers": bootstrap}), time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        known = admin.list_topics(timeout=10).topics.get(topic)
        if known is not None and len(known.partitions) == partitions:
            return
        time.sleep(0.2)
    raise ServerError(f"the gateway does not show topic {topic} with {partitions} partitions")


def make_topic_of_others(server, topic, partitions, directory):
    """A topic that the gateway shows and the publisher, at work, that has made it. `server` has its SeaweedFS."""
    beside = NativeBeside(f"127.0.0.1:{server.seaweed.grpc['broker']}", topic, partitions,
                          directory / "beside.jsonl")
    _wait_for_topic(server.bootstrap, topic, partitions)
    beside.thread.start()
    return beside
