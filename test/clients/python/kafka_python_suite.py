"""kafka-python: pure Python, the newest Fetch and Produce versions, its own admin client."""
import os
import threading
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

import suite
from suite import BOOTSTRAP, case, equal

WAIT_S = 30
_admin = None


def admin():
    global _admin
    if _admin is None:
        _admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    return _admin


def create(prefix, partitions=1, config=None):
    name = suite.topic_name(prefix)
    admin().create_topics([NewTopic(name, partitions, 1, topic_configs=config or {})])
    return name


def produce(topic, records, bootstrap=BOOTSTRAP, **config):
    """records: (partition, key, value, headers, timestamp); returns the record metadata."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, **config)
    try:
        futures = [producer.send(topic, value=value, key=key, partition=partition,
                                 headers=headers, timestamp_ms=timestamp)
                   for partition, key, value, headers, timestamp in records]
        producer.flush(WAIT_S)
        return [future.get(WAIT_S) for future in futures]
    finally:
        producer.close(5)


def plain(values, partition=0):
    return [(partition, None, value, [], None) for value in values]


def read(topic, counts, **config):
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, auto_offset_reset="none",
                             enable_auto_commit=False, group_id=None, **config)
    try:
        parts = [TopicPartition(topic, p) for p in counts]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        got = {p: [] for p in counts}
        deadline = time.monotonic() + WAIT_S
        while sum(map(len, got.values())) < sum(counts.values()):
            assert time.monotonic() < deadline, f"read {[len(v) for v in got.values()]} of {counts}"
            for part, records in consumer.poll(500).items():
                got[part.partition] += records
        equal(consumer.poll(300), {}, "records after the last")
        equal({p: len(v) for p, v in got.items()}, counts, "counts")
        return got
    finally:
        consumer.close()


@case
def round_trip():
    topic = create("kp-rt", 2)
    done = produce(topic, [(1, key, value, headers, stamp)
                           for key, value, headers, stamp in suite.ROUND_TRIP_KEY_OR_VALUE])
    equal([m.offset for m in done], list(range(len(done))), "offsets")
    got = read(topic, {0: 0, 1: len(suite.ROUND_TRIP_KEY_OR_VALUE)})[1]
    for number, (record, want) in enumerate(zip(got, suite.ROUND_TRIP_KEY_OR_VALUE)):
        equal((record.key, record.value, list(map(tuple, record.headers)), record.timestamp),
              want, f"record {number}")


@case
def codecs():
    for codec in suite.CODECS:
        topic = create(f"kp-{codec}")
        values = [f"{codec} {n} ".encode() * 20 for n in range(300)]
        produce(topic, plain(values), compression_type=None if codec == "none" else codec)
        equal([r.value for r in read(topic, {0: len(values)})[0]], values, codec)


@case
def large_records():
    topic = create("kp-large")
    values = [os.urandom(suite.LARGE_BYTES) for _ in range(2)]
    produce(topic, plain(values))
    assert [r.value for r in read(topic, {0: 2})[0]] == values, "900 KB records differ"


@case
def too_large():
    topic = create("kp-too-large")
    try:
        produce(topic, plain([b"x" * suite.TOO_LARGE_BYTES]), max_request_size=8_000_000)
    except errors.MessageSizeTooLargeError:
        return
    raise AssertionError("a 2 MB record was taken")


@case
def offsets_by_time():
    topic = create("kp-time")
    produce(topic, [(0, None, b"v", [], suite.BASE_MS + 1000 * n) for n in range(50)])
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=None)
    try:
        part = TopicPartition(topic, 0)
        found = consumer.offsets_for_times({part: suite.BASE_MS + 20_500})[part]
        equal((found.offset, found.timestamp), (21, suite.BASE_MS + 21_000), "20.5 s")
        equal(consumer.offsets_for_times({part: suite.BASE_MS + 99_000})[part], None, "after")
        equal(consumer.beginning_offsets([part])[part], 0, "start")
        equal(consumer.end_offsets([part])[part], 50, "end")
    finally:
        consumer.close()


@case
def topic_admin():
    client = admin()
    name = create("kp-admin", 2, {"retention.ms": "3600000"})
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    assert "3600000" in str(client.describe_configs([resource])), "retention.ms not described"
    found = client.describe_topics([name])
    equal(len(found[0]["partitions"]), 2, "partitions")
    try:
        client.create_partitions({name: NewPartitions(4)})
        assert suite.GROWS, "partitions added"
    except errors.InvalidPartitionsError:
        assert not suite.GROWS, "no partitions added"
    equal(len(client.describe_topics([name])[0]["partitions"]), 4 if suite.GROWS else 2, "after create_partitions")
    try:
        client.create_topics([NewTopic(name, 1, 1)])
        raise AssertionError("created twice")
    except errors.TopicAlreadyExistsError:
        pass
    client.delete_topics([name])
    assert name not in client.list_topics(), "still listed after the deletion"


@case
def many_in_order():
    topic = create("kp-many", 4)
    produce(topic, [(n % 4, None, suite.numbered(n % 4, n // 4), [], None) for n in range(10_000)],
            linger_ms=5)
    got = read(topic, {p: 2500 for p in range(4)})
    suite.check_numbered({p: [r.value for r in v] for p, v in got.items()},
                         {p: 2500 for p in range(4)})


@case
def two_hundred_connections():
    """So many producers at the same time, two turns of one record each."""
    topic = create("kp-200", 2)
    producers = [KafkaProducer(bootstrap_servers=BOOTSTRAP) for _ in range(200)]
    for turn in range(2):
        futures = [p.send(topic, b"v", partition=turn) for p in producers]
        for future in futures:
            future.get(WAIT_S)
    for producer in producers:
        producer.close(5)
    read(topic, {0: 200, 1: 200})


@case
def idempotent_retry():
    topic = create("kp-retry")
    before = int(suite.control("dropped")[0])
    suite.control(f"drop {suite.PRODUCE_KEY} 2")
    produce(topic, plain([suite.numbered(0, n) for n in range(200)]), suite.PROXIED,
            enable_idempotence=True, retries=20, acks="all")
    equal(int(suite.control("dropped")[0]) - before, 2, "answers lost by the proxy")
    got = read(topic, {0: 200})
    suite.check_numbered({0: [r.value for r in got[0]]}, {0: 200})


@case(limit_s=150)
def restart_in_the_middle():
    if not suite.DURABLE:
        raise suite.Skip("the engine keeps nothing over a restart")
    topic = create("kp-restart")
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, enable_idempotence=True, acks="all",
                             linger_ms=2, retries=100)
    futures, worker = [], None
    for n in range(1500):
        futures.append(producer.send(topic, suite.numbered(0, n), partition=0))
        if n == 500:
            worker = threading.Thread(target=lambda: suite.control("restart"))
            worker.start()
        if n % 20 == 0:
            time.sleep(0.005)
    worker.join()
    producer.flush(WAIT_S)
    equal([f.get(WAIT_S).offset for f in futures], list(range(1500)), "offsets")
    producer.close(5)
    got = read(topic, {0: 1500})
    suite.check_numbered({0: [r.value for r in got[0]]}, {0: 1500})


def member(group, topic):
    return KafkaConsumer(topic, bootstrap_servers=BOOTSTRAP, group_id=group, auto_offset_reset="earliest",
                         enable_auto_commit=False, session_timeout_ms=10000, heartbeat_interval_ms=500)


class Polling:
    """A member on a thread of its own: one that waits in poll() for the others does not keep them from coming."""

    def __init__(self, group, topic):
        self.consumer = member(group, topic)
        self.got, self.assigned, self.problem = {}, set(), None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._stopping.is_set():
                for part, records in self.consumer.poll(100).items():
                    self.got.setdefault(part.partition, []).extend(record.value for record in records)
                self.assigned = {part.partition for part in self.consumer.assignment()}
            self.consumer.commit()
            self.consumer.close()
        except Exception as problem:  # told by whoever waits
            self.problem = problem

    def close(self):
        self._stopping.set()
        self._thread.join(2 * WAIT_S)
        assert not self._thread.is_alive(), "a member does not end"
        assert self.problem is None, self.problem


def wait_until(members, done, what):
    deadline = time.monotonic() + 2 * WAIT_S
    while not done():
        for each in members:
            assert each.problem is None, each.problem
        assert time.monotonic() < deadline, f"{what} never happened"
        time.sleep(0.02)


@case(limit_s=240)
def group_of_two():
    topic = create("kp-group", 4)

    def fill(begin, end):
        produce(topic, [(n % 4, None, suite.numbered(n % 4, n // 4), [], None) for n in range(begin, end)])

    def count(*members):
        return sum(len(records) for each in members for records in each.got.values())

    first, second = Polling(topic, topic), Polling(topic, topic)
    both = (first, second)
    wait_until(both, lambda: len(first.assigned) == len(second.assigned) == 2, "two and two")
    assert not first.assigned & second.assigned, "a partition has two owners"
    fill(0, 200)
    wait_until(both, lambda: count(*both) >= 200, "200 records")
    second.close()
    wait_until([first], lambda: len(first.assigned) == 4, "all for who stays")
    fill(200, 400)
    wait_until([first], lambda: count(*both) >= 400, "400 records")
    first.close()
    suite.check_numbered({p: second.got.get(p, []) + first.got.get(p, []) for p in range(4)}, {p: 100 for p in range(4)})
    again = KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=topic)
    equal([again.committed(TopicPartition(topic, p)) for p in range(4)], [100] * 4, "committed")
    again.close()


suite.main()
