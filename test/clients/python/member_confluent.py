"""A group member of the churn test on librdkafka: reads, commits what it has read, and records every
poll, commit, assignment and revocation. SIGTERM makes it leave.

Arguments: NAME GROUP TOPIC ASSIGNOR [INSTANCE]; ASSIGNOR is range, roundrobin, cooperative-sticky,
several of them joined by commas, or consumer (KIP-848).
"""
import os
import signal
import struct
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from confluent_kafka import Consumer, KafkaException, TopicPartition  # noqa: E402

from checker.history import Recorder  # noqa: E402
from harness.recovery import KEEP_BROKERS  # noqa: E402

NAME, GROUP, TOPIC, ASSIGNOR, *INSTANCE = sys.argv[1:]
COOPERATIVE = ASSIGNOR == "cooperative-sticky"
INCREMENTAL = COOPERATIVE or ASSIGNOR == "consumer"
POLL_RECORDS = 200


def settings():
    chosen = {"bootstrap.servers": os.environ["TG_BOOTSTRAP"], "client.id": NAME, "group.id": GROUP,
              "enable.auto.commit": False, "enable.auto.offset.store": False,
              "auto.offset.reset": "earliest", **KEEP_BROKERS,
              "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "log_level": 0}
    if INSTANCE:
        chosen["group.instance.id"] = INSTANCE[0]
    if ASSIGNOR == "consumer":
        return {**chosen, "group.protocol": "consumer"}
    session_ms = int(os.environ["TG_SESSION_MS"])
    return {**chosen, "partition.assignment.strategy": ASSIGNOR, "session.timeout.ms": session_ms,
            "heartbeat.interval.ms": 300, "max.poll.interval.ms": 20000}


def name(tp):
    return f"{tp.topic}-{tp.partition}"


class Member:
    def __init__(self, history, stopping):
        self.history, self.stopping, self.held, self.records = history, stopping, {}, []
        self.pending = {}  # read and not known to be committed: a refused commit is tried again
        self.consumer = Consumer(settings())

    def generation(self):
        """From the serialized metadata: a magic word, then the generation as a native int32."""
        try:
            data = self.consumer.consumer_group_metadata()
        except (KafkaException, RuntimeError) as error:
            if not self.stopping.is_set():
                raise
            print(f"NOTE {error!r}", flush=True)  # close() is giving the group up under this callback
            return None
        if not isinstance(data, bytes) or not data.startswith(b"CGMDv2:"):
            return None
        return struct.unpack_from("=i", data, 7)[0]

    def own(self):
        more = {"instance": INSTANCE[0]} if INSTANCE else {}
        self.history.note(NAME, "own", group=GROUP, generation=self.generation(),
                          tps=sorted(self.held), cooperative=COOPERATIVE, **more)

    def assigned(self, consumer, added):
        self.told()
        self.held.update((name(tp), tp) for tp in added)
        self.own()
        asked = [self.history.invoke(NAME, "resume", group=GROUP, tp=name(tp), offset=-1)
                 for tp in added]
        try:
            found = consumer.committed(added, timeout=10) if added else []
        except KafkaException as error:
            found = None
            for op in asked:
                self.history.unknown(op, why=str(error))
        start = []
        for op, tp in zip(asked, found or []):
            self.history.ok(op, offset=max(tp.offset, -1))
            if tp.offset < 0:
                self.history.note(NAME, "seek", positions={name(tp): 0})
            start.append(TopicPartition(tp.topic, tp.partition, max(tp.offset, 0)))
        give = consumer.incremental_assign if INCREMENTAL else consumer.assign
        give(start if found is not None else added)

    def revoked(self, consumer, gone):
        self.told()
        for tp in gone:
            self.held.pop(name(tp), None)
            self.pending.pop(name(tp), None)
        self.history.note(NAME, "revoke", group=GROUP, tps=[name(tp) for tp in gone])
        if COOPERATIVE:
            self.own()
        self.unassign(consumer, gone)

    def lost(self, consumer, gone):
        self.told()
        for tp in gone:
            self.held.pop(name(tp), None)
            self.pending.pop(name(tp), None)
        self.history.note(NAME, "lost", group=GROUP, tps=[name(tp) for tp in gone])
        self.unassign(consumer, gone)

    def unassign(self, consumer, gone):
        try:
            if INCREMENTAL:
                consumer.incremental_unassign(gone)
            else:
                consumer.unassign()
        except (KafkaException, RuntimeError) as error:
            if not self.stopping.is_set():
                raise
            print(f"NOTE {error!r}", flush=True)

    def told(self):
        """Records what was read so far, before anything else is: rebalances come in between."""
        records, self.records = self.records, []
        if records:
            self.history.note(NAME, "poll", records=records)
            self.pending.update((tp, offset + 1) for tp, offset, _ in records)

    def commit(self):
        ends = dict(self.pending)
        asked = [TopicPartition(*tp.rsplit("-", 1)[:1], int(tp.rsplit("-", 1)[1]), end)
                 for tp, end in ends.items()]
        op = self.history.invoke(NAME, "commit", group=GROUP, offsets=ends)
        try:
            done = self.consumer.commit(offsets=asked, asynchronous=False)
            failed = [tp for tp in done if tp.error]
            if failed:
                self.history.unknown(op, why=str(failed[0].error))
            else:
                self.history.ok(op)
                self.pending.clear()
        except KafkaException as error:  # an earlier try of it may have arrived
            self.history.unknown(op, why=str(error))

    def step(self):
        message = self.consumer.poll(0.2)
        while message is not None:
            if not message.error():
                self.records.append([name(message_tp(message)), message.offset(),
                                     message.value().decode().rstrip()])
            if len(self.records) >= POLL_RECORDS:
                break
            message = self.consumer.poll(0)
        self.told()
        if self.pending:
            self.commit()


def message_tp(message):
    return TopicPartition(message.topic(), message.partition())


def main():
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with open(os.environ["TG_HISTORY"], "a", encoding="utf-8", buffering=1) as file:
        member = Member(Recorder(file, stamped=True), stopping)
        member.consumer.subscribe([TOPIC], on_assign=member.assigned, on_revoke=member.revoked,
                                  on_lost=member.lost)
        while not stopping.is_set():
            member.step()
        member.consumer.close()


main()
