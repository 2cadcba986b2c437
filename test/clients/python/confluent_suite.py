"""confluent-kafka (librdkafka): the cases every client has, with partitions assigned by hand."""
import os
import threading
import time

from confluent_kafka import (Consumer, KafkaError, KafkaException, Producer, TopicPartition,
                             TIMESTAMP_CREATE_TIME)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   NewPartitions, NewTopic)

import suite
from suite import BOOTSTRAP, case, equal

WAIT_S = 30


_admin = AdminClient({"bootstrap.servers": BOOTSTRAP, "log_level": 2})


def admin():
    return _admin  # one for all: a client that is collected cancels its pending calls


def create(prefix, partitions=1, config=None):
    name = suite.topic_name(prefix)
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config or {})
    admin().create_topics([topic])[name].result(WAIT_S)
    return name


class Sender:
    """A producer whose delivery reports are kept: (partition, offset) or the error."""

    def __init__(self, bootstrap=BOOTSTRAP, **config):
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5,
                                  "message.timeout.ms": 45000, "log_level": 2, **config})
        self.reports = []
        self.errors = []

    def _report(self, error, message):
        if error:
            self.errors.append(error)
        else:
            self.reports.append((message.partition(), message.offset()))

    def send(self, topic, value, key=None, partition=0, headers=None, timestamp=0):
        while True:
            try:
                self.producer.produce(topic, value=value, key=key, partition=partition,
                                      headers=headers or None, timestamp=timestamp,
                                      on_delivery=self._report)
                return
            except BufferError:
                self.producer.poll(0.1)

    def flush(self):
        equal(self.producer.flush(WAIT_S), 0, "left in the queue")
        equal([str(e) for e in self.errors], [], "delivery errors")
        return self.reports


def read(topic, counts, offsets=None, **config):
    """Messages by partition: exactly `counts`, then proof that none follow."""
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused", "log_level": 2,
                         "enable.auto.commit": False, "auto.offset.reset": "error",
                         "enable.partition.eof": True, **config})
    try:
        consumer.assign([TopicPartition(topic, p, (offsets or {}).get(p, 0)) for p in counts])
        got = {p: [] for p in counts}
        ended = set()
        deadline = time.monotonic() + WAIT_S
        while len(ended) < len(counts):
            assert time.monotonic() < deadline, f"read {[len(v) for v in got.values()]} of {counts}"
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                if message.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(message.error())
                if len(got[message.partition()]) >= counts[message.partition()]:
                    ended.add(message.partition())
                continue
            got[message.partition()].append(message)
        equal({p: len(v) for p, v in got.items()}, counts, "counts")
        return got
    finally:
        consumer.close()


@case
def metadata():
    topic = create("metadata", 3)
    found = admin().list_topics(topic, timeout=WAIT_S)
    equal(sorted(found.topics[topic].partitions), [0, 1, 2], "partitions")
    equal(len(found.brokers), 1, "brokers")
    for partition in found.topics[topic].partitions.values():
        assert partition.leader in found.brokers, f"leader {partition.leader} is no broker"


@case
def round_trip():
    topic = create("round-trip", 2)
    records = suite.ROUND_TRIP + [suite.NULL_HEADER, suite.EMPTY_HEADER_NAME]
    sender = Sender()
    for key, value, headers, timestamp in records:
        sender.send(topic, value, key, 1, headers, timestamp)
    equal(sorted(sender.flush()), [(1, n) for n in range(len(records))], "offsets in reports")
    got = read(topic, {0: 0, 1: len(records)})[1]
    for number, (message, record) in enumerate(zip(got, records)):
        back = (message.key(), message.value(), message.headers() or [], message.timestamp()[1])
        equal(back, record, f"record {number}")
        equal(message.timestamp()[0], TIMESTAMP_CREATE_TIME, "timestamp type")
        equal(message.offset(), number, "offset")


@case
def codecs():
    for codec in suite.CODECS:
        topic = create(f"codec-{codec}")
        values = [f"{codec} {n} ".encode() * 40 for n in range(500)]
        sender = Sender(**{"compression.type": codec, "linger.ms": 50})
        for value in values:
            sender.send(topic, value)
        sender.flush()
        equal([m.value() for m in read(topic, {0: len(values)})[0]], values, codec)


@case
def large_records():
    topic = create("large")
    values = [os.urandom(suite.LARGE_BYTES) for _ in range(4)]
    sender = Sender()
    for value in values:
        sender.send(topic, value)
    sender.flush()
    assert [m.value() for m in read(topic, {0: 4})[0]] == values, "900 KB records differ"


@case
def too_large():
    topic = create("too-large")
    sender = Sender(**{"message.max.bytes": 10_000_000})
    sender.send(topic, os.urandom(suite.TOO_LARGE_BYTES))
    sender.producer.flush(WAIT_S)
    equal([e.code() for e in sender.errors], [KafkaError.MSG_SIZE_TOO_LARGE], "errors")
    sender.errors.clear()
    sender.send(topic, b"after")
    sender.flush()
    equal([m.value() for m in read(topic, {0: 1})[0]], [b"after"], "log after the refusal")


@case
def offsets_by_time():
    topic = create("by-time")
    sender = Sender()
    for n in range(100):
        sender.send(topic, b"v", timestamp=suite.BASE_MS + 1000 * n)
        if n % 10 == 9:
            sender.flush()  # several batches
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused"})
    try:
        for ask, want in ((0, 0), (suite.BASE_MS + 42_000, 42), (suite.BASE_MS + 42_001, 43)):
            found = consumer.offsets_for_times([TopicPartition(topic, 0, ask)], timeout=WAIT_S)
            equal(found[0].offset, want, f"first offset at or after {ask}")
        found = consumer.offsets_for_times(
            [TopicPartition(topic, 0, suite.BASE_MS + 1_000_000)], timeout=WAIT_S)
        equal(found[0].offset, -1, "time after the last record")
        equal(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT_S), (0, 100),
              "watermarks")
    finally:
        consumer.close()


@case
def offset_out_of_range():
    topic = create("out-of-range")
    sender = Sender()
    sender.send(topic, b"v")
    sender.flush()
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused", "log_level": 2,
                         "auto.offset.reset": "error"})
    try:
        consumer.assign([TopicPartition(topic, 0, 1000)])
        message = consumer.poll(WAIT_S)
        assert message is not None and message.error(), f"no error but {message}"
        assert message.error().code() in (KafkaError._AUTO_OFFSET_RESET,
                                          KafkaError.OFFSET_OUT_OF_RANGE), str(message.error())
    finally:
        consumer.close()


@case
def topic_admin():
    client = admin()
    name = create("admin", 2, {"retention.ms": "123456789"})
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)

    def retention():
        found = client.describe_configs([resource])[resource].result(WAIT_S)
        return found["retention.ms"].value

    equal(retention(), "123456789", "retention.ms at creation")
    change = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[
        ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET)])
    client.incremental_alter_configs([change])[change].result(WAIT_S)
    equal(retention(), "7200000", "retention.ms after the change")

    code = error_of(client.create_topics([NewTopic(name, 1, 1)])[name])
    equal(code, KafkaError.TOPIC_ALREADY_EXISTS, "create again")
    code = error_of(client.create_topics([NewTopic("bad name!", 1, 1)])["bad name!"])
    equal(code, KafkaError.TOPIC_EXCEPTION, "create with a bad name")
    if suite.GROWS:
        client.create_partitions([NewPartitions(name, 5)])[name].result(WAIT_S)
    else:
        equal(error_of(client.create_partitions([NewPartitions(name, 5)])[name]),
              KafkaError.INVALID_PARTITIONS, "more partitions")
    equal(len(client.list_topics(name, timeout=WAIT_S).topics[name].partitions), 5 if suite.GROWS else 2,
          "partitions")
    equal(error_of(client.create_partitions([NewPartitions(name, 3)])[name]),
          KafkaError.INVALID_PARTITIONS, "fewer partitions")
    client.delete_topics([name])[name].result(WAIT_S)
    assert name not in client.list_topics(timeout=WAIT_S).topics, "still listed after the deletion"
    equal(error_of(client.delete_topics([name])[name]), KafkaError.UNKNOWN_TOPIC_OR_PART,
          "delete again")


def error_of(future):
    try:
        future.result(WAIT_S)
    except KafkaException as error:
        return error.args[0].code()
    return None


@case
def delete_records():
    topic = create("delete-records")
    sender = Sender()
    for n in range(20):
        sender.send(topic, suite.numbered(0, n))
    sender.flush()
    part = TopicPartition(topic, 0, 12)
    done = admin().delete_records([part])[part].result(WAIT_S)
    equal(done.low_watermark, 12, "low watermark")
    equal([m.offset() for m in read(topic, {0: 8}, {0: 12})[0]], list(range(12, 20)), "offsets")


@case
def auto_create():
    topic = suite.topic_name("auto-create")
    sender = Sender()
    sender.send(topic, b"made by the first record")
    sender.flush()
    equal([m.value() for m in read(topic, {0: 1})[0]], [b"made by the first record"])


@case
def many_in_order():
    topic = create("many", 4)
    sender = Sender(**{"compression.type": "lz4", "batch.num.messages": 200})
    for n in range(10_000):
        sender.send(topic, suite.numbered(n % 4, n // 4), partition=n % 4)
    sender.flush()
    got = read(topic, {p: 2500 for p in range(4)})
    suite.check_numbered({p: [m.value() for m in v] for p, v in got.items()},
                         {p: 2500 for p in range(4)})


@case
def many_batches_in_one_fetch():
    """Each record its own batch: a fetch has to carry many batches, and resume in the middle."""
    topic = create("batches")
    sender = Sender(**{"batch.num.messages": 1, "linger.ms": 0})
    for n in range(400):
        sender.send(topic, suite.numbered(0, n))
    sender.flush()
    got = read(topic, {0: 250}, {0: 150}, **{"fetch.message.max.bytes": 5000})[0]
    equal([m.offset() for m in got], list(range(150, 400)), "offsets")
    equal(got[0].value(), suite.numbered(0, 150), "first value")


@case
def acks_zero_and_one():
    topic = create("acks")
    for acks in ("0", "1"):
        sender = Sender(acks=acks)
        for n in range(100):
            sender.send(topic, f"{acks}-{n}".encode())
        sender.flush()
    got = [m.value() for m in read(topic, {0: 200})[0]]
    equal(sorted(got), sorted(f"{a}-{n}".encode() for a in "01" for n in range(100)))


@case
def long_poll():
    """A reader at the end waits, and gets the record as soon as it is written."""
    topic = create("long-poll")
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused",
                         "fetch.wait.max.ms": 10_000})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        assert consumer.poll(1.0) is None
        sender = Sender()
        begin = time.monotonic()
        threading.Timer(0.5, lambda: (sender.send(topic, b"now"), sender.flush())).start()
        message = consumer.poll(WAIT_S)
        assert message is not None and message.value() == b"now", message
        waited = time.monotonic() - begin
        assert waited < 8, f"came only after {waited:.1f} s: the wait was not ended by the append"
    finally:
        consumer.close()


@case
def two_hundred_connections():
    """So many producers at the same time, two turns of one record each."""
    topic = create("ck-200", 2)
    senders = [Sender() for _ in range(200)]
    for turn in range(2):
        for sender in senders:
            sender.send(topic, b"v", partition=turn)
        for sender in senders:
            sender.flush()
    read(topic, {0: 200, 1: 200})


@case
def idempotent_retry():
    """The answer to a produce request is lost: the retry must not be stored twice."""
    topic = create("retry")
    sender = Sender(suite.PROXIED, **{"enable.idempotence": True, "linger.ms": 0,
                                      "retry.backoff.ms": 50})
    before = int(suite.control("dropped")[0])
    suite.control(f"drop {suite.PRODUCE_KEY} 3")
    for n in range(60):
        sender.send(topic, suite.numbered(0, n))
        if n % 5 == 0:
            sender.producer.poll(0.02)
    sender.flush()
    lost = int(suite.control("dropped")[0]) - before
    assert lost >= 1, "the proxy dropped nothing"
    got = read(topic, {0: 60})
    suite.check_numbered({0: [m.value() for m in got[0]]}, {0: 60})


def restart(command):
    if not suite.DURABLE:
        raise suite.Skip("the engine keeps nothing over a restart")
    topic = create(command, 2)
    sender = Sender(**{"enable.idempotence": True, "linger.ms": 1, "retry.backoff.ms": 50})
    worker = None
    for n in range(3000):
        sender.send(topic, suite.numbered(n % 2, n // 2), partition=n % 2)
        if n % 50 == 0:
            sender.producer.poll(0.005)
        if n == 1000:
            worker = threading.Thread(target=lambda: suite.control(command))
            worker.start()
    worker.join()
    sender.flush()
    got = read(topic, {0: 1500, 1: 1500})
    suite.check_numbered({p: [m.value() for m in v] for p, v in got.items()}, {0: 1500, 1: 1500})


@case(limit_s=150)
def restart_in_the_middle():
    restart("restart")


@case(limit_s=150)
def kill_in_the_middle():
    restart("kill")


# ------------------------------------------------------------------------------------------- groups

MOVING = (KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.STALE_MEMBER_EPOCH)


def commit_all(members, got):
    """Between two rebalances, or after the one that is under way."""
    for consumer in members:
        def committed(consumer=consumer):
            try:
                consumer.commit(asynchronous=False)
            except KafkaException as error:
                if error.args[0].code() == KafkaError._NO_OFFSET:
                    return True
                if error.args[0].code() in MOVING:
                    return False
                raise
            return True
        poll_until(members, got, committed, "a commit")


def commit_on_revoke(consumer, _partitions):
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        # A member in the middle of joining again may be told so; a case that minds commits before.
        if error.args[0].code() not in (KafkaError._NO_OFFSET, *MOVING):
            raise


def member(group, topic, **config):
    """Of a KIP-848 group the server says how long a session is and how often it wants a heartbeat."""
    modern = config.get("group.protocol") == "consumer"
    times = {} if modern else {"session.timeout.ms": 10000, "heartbeat.interval.ms": 500}
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group, "log_level": 2,
                         "enable.auto.commit": False, "auto.offset.reset": "earliest",
                         "topic.metadata.refresh.interval.ms": 500, **times, **config})
    # Without a delay before the first assignment the first member may have read what goes to another.
    consumer.subscribe([topic], on_revoke=commit_on_revoke)
    return consumer


def poll_until(members, got, done, what):
    deadline = time.monotonic() + 2 * WAIT_S
    while not done():
        assert time.monotonic() < deadline, f"{what} never happened"
        for consumer in members:
            message = consumer.poll(0.05)
            if message is not None and not message.error():
                got.setdefault(message.partition(), []).append(message.value())


def owned(consumer):
    return sorted(part.partition for part in consumer.assignment())


def two_members(name, **config):
    topic = create(f"ck-group-{name}", 4)
    sender = Sender()
    for n in range(200):
        sender.send(topic, suite.numbered(n % 4, n // 4), partition=n % 4)
    sender.flush()
    first, second, got = member(topic, topic, **config), member(topic, topic, **config), {}
    poll_until([first, second], got, lambda: len(owned(first)) == len(owned(second)) == 2, "two and two")
    equal(sorted(owned(first) + owned(second)), [0, 1, 2, 3], "partitions")
    poll_until([first, second], got, lambda: sum(map(len, got.values())) >= 200, "200 records")
    first.commit(asynchronous=False)
    second.commit(asynchronous=False)
    second.close()
    poll_until([first], got, lambda: len(owned(first)) == 4, "all for who stays")
    for n in range(200, 400):
        sender.send(topic, suite.numbered(n % 4, n // 4), partition=n % 4)
    sender.flush()
    poll_until([first], got, lambda: sum(map(len, got.values())) >= 400, "400 records")
    first.close()
    suite.check_numbered(got, {p: 100 for p in range(4)})


@case
def group_of_two_range():
    two_members("range", **{"partition.assignment.strategy": "range"})


@case
def group_of_two_roundrobin():
    two_members("roundrobin", **{"partition.assignment.strategy": "roundrobin"})


@case
def group_of_two_cooperative():
    two_members("cooperative-sticky", **{"partition.assignment.strategy": "cooperative-sticky"})


MODERN = {"group.protocol": "consumer"}


@case
def group_kip848_of_two():
    two_members("kip848", **MODERN)


@case
def group_kip848_range():
    two_members("kip848-range", **MODERN, **{"group.remote.assignor": "range"})


@case
def group_kip848_regex():
    first = create("ck-re-a", 2)
    create("ck-other", 1)
    consumer, got = member(f"group-{first}", f"^{first}.*", **MODERN), {}
    poll_until([consumer], got, lambda: len(consumer.assignment()) == 2, "two partitions")
    later = f"{first}x"
    for future in admin().create_topics([NewTopic(later, 1, 1)]).values():
        future.result(WAIT_S)
    poll_until([consumer], got, lambda: len(consumer.assignment()) == 3, "the topic that is new")
    equal({part.topic for part in consumer.assignment()}, {first, later}, "topics")
    consumer.close()


@case
def group_kip848_static():
    """Closed and started again it has what it had, and the other one keeps all that it has."""
    topic, got = create("ck-848-static", 4), {}
    other = member(topic, topic, **MODERN, **{"group.instance.id": "other"})
    first = member(topic, topic, **MODERN, **{"group.instance.id": "one"})
    poll_until([first, other], got, lambda: len(owned(first)) == len(owned(other)) == 2, "two and two")
    had, others = owned(first), owned(other)
    first.close()
    for _ in range(20):
        poll_until([other], got, lambda: True, "")
        other.poll(0.05)
        equal(owned(other), others, "partitions of who stayed")
    again = member(topic, topic, **MODERN, **{"group.instance.id": "one"})
    poll_until([again, other], got, lambda: len(owned(again)) == 2, "two partitions again")
    equal(owned(again), had, "partitions after the restart")
    equal(owned(other), others, "partitions of who stayed")
    again.close()
    other.close()


@case(limit_s=150)
def group_kip848_upgrade_and_back():
    """A live group goes to the new protocol member by member and back; each record is read once."""
    topic, got, members, sent = create("ck-848-upgrade", 4), {}, [], 0
    classic, sender = {"partition.assignment.strategy": "cooperative-sticky"}, Sender()
    for config in (classic, classic, MODERN, MODERN, classic, classic):
        members.append(member(topic, topic, **config))
        if len(members) > 2:
            members.pop(0).close()
        for n in range(sent, sent + 80):
            sender.send(topic, suite.numbered(n % 4, n // 4), partition=n % 4)
        sender.flush()
        sent += 80
        poll_until(members, got, lambda: sum(map(len, got.values())) >= sent
                   and sorted(sum(map(owned, members), [])) == [0, 1, 2, 3]
                   and len({len(owned(m)) for m in members}) == 1, "as many partitions for each")
        commit_all(members, got)
    for consumer in members:
        consumer.close()
    suite.check_numbered(got, {p: sent // 4 for p in range(4)})


@case(limit_s=150)
def group_over_kill():
    if not suite.DURABLE:
        raise suite.Skip("the engine keeps nothing over a restart")
    topic = create("ck-group-kill", 1)
    sender = Sender()
    for n in range(200):
        sender.send(topic, suite.numbered(0, n))
    sender.flush()
    got = {}
    consumer = member(topic, topic)
    poll_until([consumer], got, lambda: len(got.get(0, [])) >= 80, "80 records")
    consumer.commit(asynchronous=False)
    suite.control("kill")
    consumer.close()
    after = member(topic, topic)
    equal(after.committed([TopicPartition(topic, 0)], WAIT_S)[0].offset, len(got[0]), "committed")
    poll_until([after], got, lambda: len(got[0]) >= 200, "the rest")
    after.close()
    suite.check_numbered(got, {0: 200})


suite.main()
