"""End to end: 100,000 numbered records through the engine, counted and in order."""
import os
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import suite
from suite import BOOTSTRAP, case, equal

RECORDS = 100_000
PARTITIONS = 4
PAYLOAD = os.urandom(1024)


def value(partition, number):
    return b"%d:%d:" % (partition, number) + PAYLOAD[number % 512:number % 512 + 100]


@case(limit_s=150)
def hundred_thousand_records():
    topic = suite.topic_name("e2e")
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    failures, offsets = [], {}

    def report(error, message):
        if error:
            failures.append(str(error))
        else:
            offsets[message.partition()] = max(offsets.get(message.partition(), -1),
                                               message.offset())

    producer = Producer({"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True,
                         "linger.ms": 5, "queue.buffering.max.messages": RECORDS + 1})
    begin = time.monotonic()
    for n in range(RECORDS):
        partition = n % PARTITIONS
        producer.produce(topic, value(partition, n // PARTITIONS), partition=partition,
                         on_delivery=report)
        if n % 1000 == 0:
            producer.poll(0)
    equal(producer.flush(90), 0, "left in the queue")
    equal(failures, [], "delivery errors")
    each = RECORDS // PARTITIONS
    equal(offsets, {p: each - 1 for p in range(PARTITIONS)}, "last offsets")
    produced = time.monotonic()
    check(topic, each)
    print(f"produced in {produced - begin:.2f} s, read in {time.monotonic() - produced:.2f} s")


def check(topic, each):
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused",
                         "auto.offset.reset": "error"})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    seen = [0] * PARTITIONS
    deadline = time.monotonic() + 90
    while sum(seen) < RECORDS:
        assert time.monotonic() < deadline, f"read only {seen}"
        for message in consumer.consume(5000, 1.0):
            assert not message.error(), message.error()
            p = message.partition()
            equal(message.offset(), seen[p], f"offset in partition {p}")
            equal(message.value(), value(p, seen[p]), f"record {seen[p]} of partition {p}")
            seen[p] += 1
    equal(seen, [each] * PARTITIONS, "counts")
    equal(consumer.consume(1, 0.5), [], "records after the last")
    consumer.close()


suite.main()
