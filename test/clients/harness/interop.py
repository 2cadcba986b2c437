"""The cases of interop_test; the world they happen in is interop_world.py."""
import json
import struct
import threading
import time
import urllib.request

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from .interop_world import (CHUNK_BYTES, EDGES, PATIENCE_S, Sender, as_read, check_reads, ends, equal,
                            native_records, read_librdkafka, wait_until)

BATCH_KEY_BYTES = 12
FOREIGN_GATEWAY = "tidegate_seaweedmq_foreign_gateway"


class NativeTopic:
    """One that native publishers write: what they have been told of it."""

    def __init__(self, topic, sizes):
        self.topic, self.sizes = topic, sizes
        self.sent, self.times = [[] for _ in sizes], [[] for _ in sizes]

    def publish(self, publishers, round_number, count):
        for n, publisher in enumerate(publishers):
            records = native_records(100 * round_number + n, count, self.sizes[n])
            now, first = time.time_ns(), len(self.sent[n])
            times = [now + i * 10000 for i in range(len(records))]
            given = publisher.publish([(*record, ts_ns) for record, ts_ns in zip(records, times)])
            equal(given, list(range(first, first + len(records))), "offsets given")
            self.sent[n] += records
            self.times[n] += [ts_ns // 1000000 for ts_ns in times]

    def check(self, world):
        check_reads(world, self.topic, [as_read(log) for log in self.sent], self.times)


def native_publisher_is_read(world):
    """Several partitions, more than a broker's chunk in one. While a broker has it open, and after broker and
    gateway began anew."""
    broker, topic = world.fresh_broker(), NativeTopic("native", (400, 12000, 10))
    partitions = broker.configure(topic.topic, 3)
    publishers = [broker.publisher(topic.topic, p) for p in partitions]
    topic.publish(publishers, 1, 2000)
    if sum(len(value) for _, value in topic.sent[1]) < CHUNK_BYTES:
        raise AssertionError("less than a chunk")
    topic.check(world)
    topic.publish(publishers, 2, 300)
    topic.check(world)
    # What it has noted is where it goes on; killed before that it would give offsets twice.
    wait_until("the broker notes its offsets", lambda: all(
        world.filer.checkpoint(topic.topic, p) == len(topic.sent[n]) - 1 for n, p in enumerate(partitions)))
    broker = world.fresh_broker()
    publishers = [broker.publisher(topic.topic, p) for p in broker.partitions(topic.topic)]
    topic.publish(publishers, 3, 100)
    topic.check(world)
    world.restart_gateway()
    topic.check(world)


def made(admin, topic):
    try:
        admin.create_topics([topic])[topic.topic].result(PATIENCE_S)
        return True
    except KafkaException as error:
        return error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS


def go_gateway_is_read(world):
    """What a Kafka client wrote through SeaweedFS's Kafka gateway, which keeps neither headers nor times."""
    address, topic = world.go_gateway(), "written-by-go"
    sender, begin = Sender(address), int(time.time() * 1000)
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    wait_until("the Go gateway makes a topic", lambda: made(admin, NewTopic(topic, 3, 1)))
    edges = as_read(EDGES) + [(b"", b"empty key"), (b"empty value", b"")]
    for partition, (count, size) in enumerate(((500, 300), (1500, 12000), (0, 1))):
        records = edges + native_records(partition, count, size)
        sender.first(topic, partition)
        sender.send(topic, partition, records, [("lost", b"header")], [1000 + n for n in range(len(records))])
        sender.flush()
    logs = [as_read(sender.log(partition)) for partition in range(3)]
    if sum(len(value or b"") for _, value in logs[1]) < CHUNK_BYTES:
        raise AssertionError("less than a chunk")
    check_reads(world, topic, logs)
    for log in read_librdkafka(world, topic, 3):
        times = [one[3] for one in log]
        if not begin - 1000 <= min(times) <= max(times) <= time.time() * 1000 + 1000:
            raise AssertionError(f"times from {min(times)} to {max(times)}")
    world.restart_gateway()
    check_reads(world, topic, logs)


def positions_of_go_gateway_are_taken_over(world):
    """What a group committed there is committed here, until a client commits here."""
    address, topic, group = world.go_gateway(), "positions-by-go", "went-over"
    there, partitions = AdminClient({"bootstrap.servers": address, "log_level": 0}), [0, 1, 2]
    wait_until("the Go gateway makes a topic", lambda: made(there, NewTopic(topic, 3, 1)))
    sender = Sender(address)
    for partition in partitions:
        sender.first(topic, partition)
    positions = [TopicPartition(topic, 0, 17, "note"), TopicPartition(topic, 2, 99)]
    commit(address, group, positions, member_of=topic)  # it takes none from whoever is not a member
    world.end_native()
    wait_until("Tidegate lists the topic", lambda: topic in world.admin().list_topics(timeout=20).topics)
    equal(committed(world.bootstrap, "never-was", topic, partitions), [None] * 3, "of another group")
    equal(committed(world.bootstrap, group, topic, partitions), [(17, "note"), None, (99, "")], "taken over")
    world.restart_gateway()
    equal(committed(world.bootstrap, group, topic, partitions), [(17, "note"), None, (99, "")], "after a restart")
    commit(world.bootstrap, group, [TopicPartition(topic, 1, 5), TopicPartition(topic, 2, 100)])
    world.restart_gateway()
    equal(committed(world.bootstrap, group, topic, partitions), [(17, "note"), (5, ""), (100, "")], "of both")


def foreign_gateway_is_shown(world):
    """That it runs on the same SeaweedFS is in the log and in a metric, for as long as it does."""
    def shown():
        with urllib.request.urlopen(f"http://{world.gateway.admin}/metrics", timeout=PATIENCE_S) as scrape:
            lines = scrape.read().decode().splitlines()
        return {f"{FOREIGN_GATEWAY} 0": False, f"{FOREIGN_GATEWAY} 1": True}[
            next(line for line in lines if line.startswith(FOREIGN_GATEWAY))]

    def warned():
        return any("foreign_gateway_seen" in line for line in world.gateway.log_tail(100))

    world.end_native()
    world.go_gateway()
    wait_until("it is shown", lambda: shown() and warned())
    world.restart_gateway()
    wait_until("it is shown after a restart", shown)
    world.end_native()
    wait_until("its end is shown", lambda: not shown(), 3 * PATIENCE_S)


def asking(bootstrap, group):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False,
                     "log_level": 0})


def commit(bootstrap, group, positions, member_of=None):
    consumer = asking(bootstrap, group)
    try:
        if member_of:
            consumer.subscribe([member_of])
            wait_until("a member gets partitions", lambda: consumer.poll(1) is not None or consumer.assignment())
        done = consumer.commit(offsets=positions, asynchronous=False)
        equal([one.error for one in done], [None] * len(positions), "errors of the commit")
    finally:
        consumer.close()


def committed(bootstrap, group, topic, partitions):
    """(offset, metadata) of each; None where there is none."""
    consumer = asking(bootstrap, group)
    try:
        told = consumer.committed([TopicPartition(topic, p) for p in partitions], timeout=PATIENCE_S)
        return [None if one.offset < 0 else (one.offset, one.metadata or "") for one in told]
    finally:
        consumer.close()


# Transactional markers apart, everything that layout `record` has a way for.
OURS = [(b"key", b"value"), (None, b"no key"), (b"", b"empty key"), (b"null value", None),
        (b"empty value", b""), (None, None), (None, b""), (b"\0", b"\0\1\2"), (b"key", b"again"),
        (b"big", bytes(range(256)) * 1024)]
HEADERS = [("name", b"\0value"), ("name", b"twice"), ("none", None)]


def seen_natively(records):
    """(key, value) as SeaweedMQ's own readers see them: a record without a key has its offset in digits."""
    return [(key or b"%d" % offset, value or b"") for offset, (key, value) in enumerate(records)]


def check_subscriber(broker, topic, partition, records, begin_ns):
    got = broker.subscribe(topic, partition, len(records))
    equal([one[:2] for one in got], seen_natively(records), f"native subscriber, {topic}")
    times = [one[2] for one in got]
    equal(times, sorted(set(times)), f"native subscriber, {topic}: times rise")
    if not begin_ns < times[0] <= times[-1] < time.time_ns():
        raise AssertionError(f"times from {times[0]} to {times[-1]}")


def subscriber_reads_record_layout(world):
    """Of a broker that opened the partitions afterwards, and of the next one: the topic stays divided as we made
    it. More is written while no broker is there."""
    topic, begin_ns = "for-native", time.time_ns()
    world.create(topic, 3, seaweedmq_layout="record")
    sender, own = Sender(world.bootstrap), {}
    for partition, codec in enumerate(("none", "zstd", "lz4")):
        own[partition] = Sender(world.bootstrap, **{"compression.type": codec})
        own[partition].send(topic, partition, OURS, HEADERS)
        own[partition].send(topic, partition, native_records(partition, 1500, 4000))
        own[partition].flush()
    generation, made = world.filer.generations(topic), partitions_in_conf(world, topic)
    logs = [own[partition].log(partition) for partition in range(3)]
    for _ in range(2):
        broker = world.fresh_broker()
        for n, partition in enumerate(broker.partitions(topic)[:3]):
            check_subscriber(broker, topic, partition, logs[n], begin_ns)
        equal(world.filer.generations(topic), generation, "divisions of the topic")
        equal(partitions_in_conf(world, topic), made, "partitions in topic.conf")
        world.end_native()
        for n in range(3):
            sender.send(topic, n, OURS, HEADERS)
        sender.flush()
        logs = [log + OURS for log in logs]
    # What those brokers have written into the topic's directories does no harm.
    world.restart_gateway()
    equal(keys_and_values(world, topic, 3), logs, "what Tidegate reads afterwards")


def keys_and_values(world, topic, partitions):
    return [[one[1:3] for one in log] for log in read_librdkafka(world, topic, partitions)]


def partitions_in_conf(world, topic):
    conf = json.loads(world.filer.content(f"/topics/kafka/{topic}", "topic.conf"))
    return [one["partition"] for one in conf["brokerPartitionAssignments"]]


def subscriber_of_batch_layout(world):
    """A message for each batch of Kafka records: base offset and count for a key, the batch for a value."""
    topic = "in-batches"
    world.create(topic, 1, seaweedmq_layout="batch")
    sender = Sender(world.bootstrap)
    for _ in range(5):
        sender.send(topic, 0, OURS)
        sender.flush()
    broker = world.fresh_broker()
    got = broker.subscribe(topic, broker.partitions(topic)[0], 5)
    equal([len(key) for key, _, _ in got], [BATCH_KEY_BYTES] * len(got), "lengths of keys")
    if not got:
        raise AssertionError("no message")
    next_offset = 0
    for key, value, _ in got:
        base, count = struct.unpack(">qi", key)
        in_batch, magic = struct.unpack_from(">q", value)[0], value[16]
        equal((base, in_batch, magic), (next_offset, next_offset, 2), "a batch of format 2")
        next_offset += count
    equal(next_offset, 5 * len(OURS), "records in all batches")


def tools_list_topics(world):
    """`weed shell` and the broker's own list; and the other way around."""
    world.create("ours-listed", 2)
    broker = world.fresh_broker()
    broker.configure("theirs-listed", 2)
    if not {"ours-listed", "theirs-listed"} <= broker.topics():
        raise AssertionError(f"the broker lists {sorted(broker.topics())}")
    listed = world.shell("mq.topic.list")
    if "ours-listed" not in listed:
        raise AssertionError(f"weed shell lists: {listed[-300:]}")
    described = world.shell("mq.topic.describe -namespace kafka -topic ours-listed")
    if "2520" not in described:
        raise AssertionError(f"weed shell describes: {described[-300:]}")
    wait_until("Tidegate lists theirs",
               lambda: "theirs-listed" in world.admin().list_topics(timeout=20).topics)


def made_anew_under_a_broker(world):
    """Deleted and made again at once while a broker has the topic open: another topic, for brokers, too."""
    topic = "made-anew"
    world.create(topic, 2, seaweedmq_layout="record")
    sender, begin_ns = Sender(world.bootstrap), time.time_ns()
    sender.send(topic, 0, [(b"before", b"%d" % n) for n in range(100)])
    sender.flush()
    broker = world.fresh_broker()
    equal(len(broker.subscribe(topic, broker.partitions(topic)[0], 100)), 100, "messages before")
    before = world.filer.generations(topic)
    admin = world.admin()
    admin.delete_topics([topic])[topic].result(PATIENCE_S)
    world.create(topic, 2, seaweedmq_layout="record")
    sender, records = Sender(world.bootstrap), [(b"after", b"%d" % n) for n in range(30)]
    sender.send(topic, 0, records)
    sender.flush()
    equal(keys_and_values(world, topic, 2), [records, []], "read at once")
    broker = world.fresh_broker()
    check_subscriber(broker, topic, broker.partitions(topic)[0], records, begin_ns)
    wait_until("the old division is gone", lambda: not set(before) & set(world.filer.generations(topic)))
    equal(keys_and_values(world, topic, 2), [records, []], "read again")


def growth_under_a_broker(world):
    """More partitions while a broker has the topic open: no new division, and the next broker reads them."""
    topic, begin_ns = "growing", time.time_ns()
    world.create(topic, 2, seaweedmq_layout="record")
    sender = Sender(world.bootstrap)
    sender.send(topic, 1, OURS)
    sender.flush()
    broker = world.fresh_broker()
    check_subscriber(broker, topic, broker.partitions(topic)[1], OURS, begin_ns)
    generation = world.filer.generations(topic)
    world.admin().create_partitions([NewPartitions(topic, 5)])[topic].result(PATIENCE_S)
    sender = Sender(world.bootstrap)
    for partition in range(5):
        sender.send(topic, partition, OURS)
    sender.flush()
    broker = world.fresh_broker()
    for n, partition in enumerate(broker.partitions(topic)[:5]):
        check_subscriber(broker, topic, partition, OURS * 2 if n == 1 else OURS, begin_ns)
    equal(world.filer.generations(topic), generation, "divisions of the topic")


ENVELOPE = b"\xf5Tideg\xfa\x00\x01\x01"  # in front of the value of a batch's first record


def publish_beside(publisher, stop, sent):
    while not stop.is_set():
        sent.append(b"others-%d" % len(sent))
        publisher.publish([(sent[-1], b"somebody else's", 0)])


def live_subscriber_of_the_broker_path(world):
    """While a broker has the partition open, its subscriber gets every record: plain, but for the first of a batch.
    Somebody else publishes all the time, too, which does no harm."""
    broker, topic = world.fresh_broker(), "live"
    world.create(topic, 1, seaweedmq_path="broker", seaweedmq_layout="record")
    partition = broker.partitions(topic)[0]
    stop, others = threading.Event(), []
    beside = threading.Thread(target=publish_beside, args=(broker.publisher(topic, partition), stop, others))
    beside.start()
    try:
        sender = Sender(world.bootstrap, **{"compression.type": "zstd", "enable.idempotence": True,
                                            "batch.num.messages": 500})
        for n in range(3):
            sender.send(topic, 0, OURS + native_records(n, 1500, 400), HEADERS)
            sender.flush()
    finally:
        stop.set()
        beside.join()
    log = sender.log(0)
    got = broker.subscribe(topic, partition, len(log) + len(others))
    equal(sum(key.startswith(b"others-") for key, _, _ in got), len(others), "messages of somebody else")
    ours = [(key, value) for key, value, _ in got if not key.startswith(b"others-")]
    first = [value.startswith(ENVELOPE) for _, value in ours]
    wanted = seen_natively(log)
    equal([key for key, _ in ours], [key for key, _ in wanted], "keys")
    for n, ((_, value), (_, plain)) in enumerate(zip(ours, wanted)):
        if not (value.endswith(plain) if first[n] else value == plain):
            raise AssertionError(f"value {n} is {value[:100]}, wanted {plain[:100]}")
    if not first[0] or sum(first) > len(log) / 10:
        raise AssertionError(f"{sum(first)} envelopes for {len(log)} records")
    for _ in range(2):
        read = read_librdkafka(world, topic, 1)[0]
        equal([one[1:3] for one in read], log, "keys and values here")
        equal([one[4] for one in read], [HEADERS] * len(log), "headers here")
        world.restart_gateway()


def topic_of_others_is_written(world):
    """A native publisher had it first and goes on; Kafka clients write to it at the same time. Everything is there
    once, in its order and at the offset that was told, also after a restart and with the next broker."""
    broker, topic = world.fresh_broker(), "both"
    partition, before = broker.configure(topic, 1)[0], native_records(1, 300, 300)
    publisher, now = broker.publisher(topic, partition), time.time_ns()
    publisher.publish([(*record, now + n * 10000) for n, record in enumerate(before)])
    check_reads(world, topic, [as_read(before)])
    stop, others = threading.Event(), []
    beside = threading.Thread(target=publish_beside, args=(publisher, stop, others))
    beside.start()
    try:
        sender = Sender(world.bootstrap, **{"compression.type": "zstd", "enable.idempotence": True,
                                            "batch.num.messages": 500})
        for n in range(4):
            sender.send(topic, 0, OURS + native_records(n, 1500, 400), HEADERS)
            sender.flush()
    finally:
        stop.set()
        beside.join()
    sent = sorted((offset, record) for (_, offset), record in sender.at.items())
    total = len(before) + len(others) + len(sent)
    wait_until("everything is there", lambda: ends(world, topic, 1) == [total])
    for round_number in range(3):
        read = read_librdkafka(world, topic, 1)[0]
        equal([one[0] for one in read], list(range(total)), "offsets")
        equal([one[1:3] for one in read[:len(before)]], as_read(before), "what was there before")
        ours = [one for one in read if one[4]]
        equal([one[0] for one in ours], [offset for offset, _ in sent], "where ours are")
        equal([one[1:3] for one in ours], [record for _, record in sent], "keys and values of ours")
        equal([one[4] for one in ours], [HEADERS] * len(sent), "headers of ours")
        equal([one[1] for one in read[len(before):] if not one[4]], others, "theirs")
        if round_number == 0:
            got = broker.subscribe(topic, partition, total + 1)
            equal([key for key, _, _ in got if key.startswith(b"others-")], others, "theirs, natively")
        if round_number == 1:
            broker = world.fresh_broker()
            broker.publisher(topic, broker.partitions(topic)[0]).publish([(b"others-%d" % len(others), b"", 0)])
            others.append(b"others-%d" % len(others))
            total += 1
        world.restart_gateway()
        wait_until("everything is there again", lambda: ends(world, topic, 1) == [total])


CASES = [native_publisher_is_read, go_gateway_is_read, positions_of_go_gateway_are_taken_over,
         foreign_gateway_is_shown, subscriber_reads_record_layout, subscriber_of_batch_layout, tools_list_topics, made_anew_under_a_broker, growth_under_a_broker,
         live_subscriber_of_the_broker_path, topic_of_others_is_written]
