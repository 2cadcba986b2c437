"""Parts of SeaweedFS that are down, hang, vanish, are slow, break connections or come and go, under a client's load.

    seaweed_faults_suite.py PART...      of master, filer, volume and broker

The parts stand behind proxies that misbehave when told. Of every fault: what was
acknowledged is there once and in order, nothing fails for good, work goes on within seconds of healing, requests
are answered in time with codes that clients repeat, memory stays bounded, and topics that do without the part are unharmed.
"""
import os
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import suite
from suite import BOOTSTRAP, case, control, equal

PARTITIONS = 4
FAULT_S = 7
# Breakers close, leases come back and clients try again: 5 s on a machine that does nothing else, and every case
# reports what it took. The limits here are for a busy one.
RECOVERY_S = 20
REQUEST_TIMEOUT_S = 4
# A bystander's record is acknowledged in milliseconds; a fault lasts longer than this.
UNHARMED_S = 5
ANSWER_S = REQUEST_TIMEOUT_S + 10
GROWTH_KB = 64 << 10
RETRIABLE = {KafkaError.REQUEST_TIMED_OUT, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.KAFKA_STORAGE_ERROR,
             KafkaError.LEADER_NOT_AVAILABLE, KafkaError.COORDINATOR_NOT_AVAILABLE}


def sanitized():
    """Freed memory stays resident there for a while."""
    with open(os.environ["TG_BINARY"], "rb") as binary:
        return any(b"__asan_init" in block for block in iter(lambda: binary.read(1 << 24), b""))


class Load:
    """An idempotent producer that sends numbered records to every partition, 400 a second."""

    def __init__(self, topic):
        self.topic, self.sent, self.acked, self.failed = topic, 0, [], []
        self.producer = Producer({"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True, "linger.ms": 5,
                                  "message.timeout.ms": 120_000, "request.timeout.ms": REQUEST_TIMEOUT_S * 1000,
                                  "retry.backoff.ms": 100, "reconnect.backoff.max.ms": 500})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _report(self, error, message):
        if error:
            self.failed.append(str(error))
        else:
            self.acked.append((time.monotonic(), float(message.value().split(b":")[1])))

    def _run(self):
        payload = b"x" * 500
        while not self._stop.wait(0.01):
            for partition in range(PARTITIONS):
                value = b"%d:%f:" % (self.sent // PARTITIONS, time.monotonic()) + payload
                self.producer.produce(self.topic, value, partition=partition, on_delivery=self._report)
                self.sent += 1
            self.producer.poll(0)

    def first_ack_of_later(self, moment):
        """When the first record that was produced after `moment` was acknowledged."""
        return next((at for at, made in list(self.acked) if made > moment), None)

    def end(self):
        self._stop.set()
        self._thread.join()
        equal(self.producer.flush(60), 0, "records without an outcome")
        equal(self.failed[:3], [], "deliveries that failed for good")


def check(topic, each):
    """Every number once and in order, in every partition."""
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused", "auto.offset.reset": "error"})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    seen, deadline = [0] * PARTITIONS, time.monotonic() + 60
    while sum(seen) < each * PARTITIONS:
        assert time.monotonic() < deadline, f"read only {seen} of {each}"
        for message in consumer.consume(2000, 0.5):
            assert not message.error(), message.error()
            number = int(message.value().split(b":")[0])
            equal(number, seen[message.partition()], f"number at offset {message.offset()}")
            equal(message.offset(), number, "offset")
            seen[message.partition()] += 1
    assert not consumer.consume(1, 0.5), "more than was sent"
    consumer.close()


def one_try(topic):
    """Produces once without repeats: the error, if any, and how long it took."""
    outcome = []
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "retries": 0, "linger.ms": 0, "message.timeout.ms": 30_000,
                         "request.timeout.ms": REQUEST_TIMEOUT_S * 1000})
    began = time.monotonic()
    producer.produce(topic, b"try", partition=0, on_delivery=lambda error, _: outcome.append(error))
    producer.flush(30)
    assert outcome, "no outcome after 30 s"
    return outcome[0], time.monotonic() - began


def under_fault(begin, heal, must_go_on, bystander):
    """A topic that does without the part is the bystander, if there is one: it goes on as if nothing were."""
    topic, tries, direct = (suite.topic_name(name) for name in ("faults", "tries", "bystander"))
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    made = [NewTopic(topic, PARTITIONS, 1), NewTopic(tries, 1, 1)]
    if bystander:
        made.append(NewTopic(direct, PARTITIONS, 1, config={"seaweedmq.path": "direct"}))
    for future in admin.create_topics(made).values():
        future.result(60)
    load = Load(topic)
    other = Load(direct) if bystander else None
    time.sleep(2)
    assert load.acked, "nothing is acknowledged before the fault"
    before = int(control("memory")[0])
    healed = threading.Event()
    fault = threading.Thread(target=begin, args=(healed,), daemon=True)
    fault.start()
    began = time.monotonic()
    error, took = one_try(tries)
    if error is not None:
        assert error.code() in RETRIABLE, f"{error} is not one that clients repeat"
    assert took < ANSWER_S, f"answered after {took:.1f} s: {error}"
    time.sleep(max(0, FAULT_S - (time.monotonic() - began)))
    during = int(control("memory")[0])
    if must_go_on:
        assert load.first_ack_of_later(began + 1), "nothing was acknowledged during the fault"
    if other:
        made_by = max(made for _, made in list(other.acked))
        assert time.monotonic() - made_by < UNHARMED_S, "a topic that does without the part stands still"
    healed.set()
    fault.join()
    heal()
    moment = time.monotonic()
    while not (back := load.first_ack_of_later(moment)):
        assert time.monotonic() - moment < 60, "nothing is acknowledged 60 s after healing"
        time.sleep(0.05)
    for one in filter(None, (load, other)):
        one.end()
        check(one.topic, one.sent // PARTITIONS)
    measured = (f"one try {took:.1f} s {error.name() if error else 'ok'}, back after {back - moment:.1f} s, "
                f"memory {before >> 10} MB, {during >> 10} MB during")
    if other:
        slowest = max(at - made for at, made in other.acked)
        measured += f", bystander's slowest acknowledgement {slowest:.1f} s"
        assert slowest < UNHARMED_S, f"a bystander's record took {slowest:.1f} s"
    assert back - moment < RECOVERY_S, f"back only after {back - moment:.1f} s"
    if not sanitized():
        assert during - before < GROWTH_KB, f"memory grew from {before} to {during} KB"
    return measured


def mode(part, name):
    return (lambda _: control(f"fault {part} {name}")), (lambda: control(f"fault {part} pass"))


def flapping(part):
    def begin(healed):
        while not healed.is_set():
            for name in ("refuse", "pass"):
                control(f"fault {part} {name}")
                healed.wait(1)
    return begin, lambda: control(f"fault {part} pass")


def resetting(part):
    def begin(healed):
        while not healed.wait(0.3):
            control(f"fault {part} reset")
    return begin, lambda: control(f"fault {part} pass")


def register(part):
    # File ids come in blocks: without a master work goes on for a while, as long as there are any.
    faults = {"is_down": mode(part, "refuse"), "hangs": mode(part, "hang"),
              "vanishes_silently": mode(part, "half-open"), "is_slow": mode(part, "slow"),
              "breaks_connections": resetting(part), "comes_and_goes": flapping(part)}
    for name, (begin, heal) in faults.items():
        def run(begin=begin, heal=heal):
            return under_fault(begin, heal, must_go_on=part == "master", bystander=part == "broker")
        run.__name__ = f"{part}_{name}"
        case(run, limit_s=150)


if __name__ == "__main__":
    for each_part in sys.argv[1:]:
        register(each_part)
    suite.main()
