"""aiokafka: old protocol versions (Fetch 11 and below, Metadata 5), and 200 clients at once."""
import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

import suite
from suite import BOOTSTRAP, case, equal

WAIT_S = 30


def asynchronous(function):
    """The case runner calls plain functions; each case gets a loop of its own."""
    def run():
        asyncio.run(function())
    run.__name__ = function.__name__
    return run


async def create(prefix, partitions=1):
    name = suite.topic_name(prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    try:
        response = await admin.create_topics([NewTopic(name, partitions, 1)])
        equal([e[1] for e in response.topic_errors], [0], "error code of the creation")
    finally:
        await admin.close()
    return name


async def produce(topic, records, bootstrap=BOOTSTRAP, **config):
    """records: (partition, key, value, headers, timestamp)"""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, **config) as producer:
        futures = [await producer.send(topic, value, key, partition, stamp, headers or [])
                   for partition, key, value, headers, stamp in records]
        return await asyncio.wait_for(asyncio.gather(*futures), WAIT_S)


def plain(values, partition=0):
    return [(partition, None, value, [], None) for value in values]


async def read(topic, counts):
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, auto_offset_reset="none",
                                enable_auto_commit=False)
    async with consumer:
        parts = [TopicPartition(topic, p) for p in counts]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        got = {p: [] for p in counts}

        async def fill():
            while sum(map(len, got.values())) < sum(counts.values()):
                for part, records in (await consumer.getmany(timeout_ms=500)).items():
                    got[part.partition] += records

        await asyncio.wait_for(fill(), WAIT_S)
        equal(await consumer.getmany(timeout_ms=300), {}, "records after the last")
        equal({p: len(v) for p, v in got.items()}, counts, "counts")
        return got


@case
@asynchronous
async def round_trip():
    topic = await create("aio-rt", 2)
    done = await produce(topic, [(1, key, value, headers, stamp)
                                 for key, value, headers, stamp in suite.ROUND_TRIP_KEY_OR_VALUE])
    equal([m.offset for m in done], list(range(len(done))), "offsets")
    got = (await read(topic, {0: 0, 1: len(suite.ROUND_TRIP_KEY_OR_VALUE)}))[1]
    for number, (record, want) in enumerate(zip(got, suite.ROUND_TRIP_KEY_OR_VALUE)):
        equal((record.key, record.value, list(map(tuple, record.headers)), record.timestamp),
              want, f"record {number}")


@case
@asynchronous
async def codecs():
    for codec in suite.CODECS:
        topic = await create(f"aio-{codec}")
        values = [f"{codec} {n} ".encode() * 20 for n in range(300)]
        await produce(topic, plain(values), linger_ms=20,
                      compression_type=None if codec == "none" else codec)
        equal([r.value for r in (await read(topic, {0: 300}))[0]], values, codec)


@case
@asynchronous
async def large_records():
    topic = await create("aio-large")
    values = [os.urandom(suite.LARGE_BYTES) for _ in range(2)]
    await produce(topic, plain(values), max_request_size=1_000_000)
    assert [r.value for r in (await read(topic, {0: 2}))[0]] == values, "900 KB records differ"


@case
@asynchronous
async def too_large():
    topic = await create("aio-too-large")
    try:
        await produce(topic, plain([b"x" * suite.TOO_LARGE_BYTES]), max_request_size=8_000_000)
    except errors.MessageSizeTooLargeError:
        return
    raise AssertionError("a 2 MB record was taken")


@case
@asynchronous
async def offsets_by_time():
    topic = await create("aio-time")
    await produce(topic, [(0, None, b"v", [], suite.BASE_MS + 1000 * n) for n in range(50)])
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP) as consumer:
        part = TopicPartition(topic, 0)
        found = (await consumer.offsets_for_times({part: suite.BASE_MS + 20_500}))[part]
        equal((found.offset, found.timestamp), (21, suite.BASE_MS + 21_000), "20.5 s")
        found = (await consumer.offsets_for_times({part: suite.BASE_MS + 99_000}))[part]
        equal(found, None, "after the last")
        equal((await consumer.end_offsets([part]))[part], 50, "end")


@case
@asynchronous
async def topic_admin():
    name = await create("aio-admin", 2)
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    try:
        found = await admin.describe_topics([name])
        equal(len(found[0]["partitions"]), 2, "partitions")
        try:
            await admin.create_partitions({name: NewPartitions(5)})
            assert suite.GROWS, "partitions added"
        except errors.InvalidPartitionsError:
            assert not suite.GROWS, "no partitions added"
        equal(len((await admin.describe_topics([name]))[0]["partitions"]), 5 if suite.GROWS else 2, "grown")
        response = await admin.create_topics([NewTopic(name, 1, 1)])
        equal(response.topic_errors[0][1], errors.TopicAlreadyExistsError.errno, "again")
        await admin.delete_topics([name])
        assert name not in await admin.list_topics(), "still listed after the deletion"
    finally:
        await admin.close()


@case
@asynchronous
async def many_in_order():
    topic = await create("aio-many", 4)
    await produce(topic, [(n % 4, None, suite.numbered(n % 4, n // 4), [], None)
                          for n in range(10_000)], linger_ms=5)
    got = await read(topic, {p: 2500 for p in range(4)})
    suite.check_numbered({p: [r.value for r in v] for p, v in got.items()},
                         {p: 2500 for p in range(4)})


@case
@asynchronous
async def two_hundred_connections():
    """200 clients are connected at the same time, and each one's records are there."""
    topic = await create("aio-200", 4)
    clients = [AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, client_id=f"c{n}")
               for n in range(200)]
    try:
        for start in range(0, 200, 25):
            await asyncio.gather(*(c.start() for c in clients[start:start + 25]))
        for turn in range(2):
            await asyncio.wait_for(asyncio.gather(
                *(c.send_and_wait(topic, f"{n}-{turn}".encode(), partition=n % 4)
                  for n, c in enumerate(clients))), WAIT_S)
    finally:
        await asyncio.gather(*(c.stop() for c in clients))
    got = await read(topic, {p: 100 for p in range(4)})
    for p, records in got.items():
        equal(sorted(r.value for r in records),
              sorted(f"{n}-{turn}".encode() for n in range(200) if n % 4 == p for turn in (0, 1)),
              f"partition {p}")


@case
@asynchronous
async def idempotent_retry():
    topic = await create("aio-retry")
    before = int(suite.control("dropped")[0])
    suite.control(f"drop {suite.PRODUCE_KEY} 2")
    await produce(topic, plain([suite.numbered(0, n) for n in range(200)]), suite.PROXIED,
                  enable_idempotence=True, max_batch_size=2000)
    equal(int(suite.control("dropped")[0]) - before, 2, "answers lost by the proxy")
    got = await read(topic, {0: 200})
    suite.check_numbered({0: [r.value for r in got[0]]}, {0: 200})


@case(limit_s=150)
@asynchronous
async def restart_in_the_middle():
    if not suite.DURABLE:
        raise suite.Skip("the engine keeps nothing over a restart")
    topic = await create("aio-restart")
    futures, restart = [], None
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, enable_idempotence=True,
                                max_batch_size=2000) as producer:
        for n in range(1000):
            futures.append(await producer.send(topic, suite.numbered(0, n), partition=0))
            if n == 300:
                restart = asyncio.get_running_loop().run_in_executor(
                    None, suite.control, "restart")
            if n % 20 == 0:
                await asyncio.sleep(0.005)
        await restart
        done = await asyncio.wait_for(asyncio.gather(*futures), WAIT_S)
    equal([m.offset for m in done], list(range(1000)), "offsets")
    got = await read(topic, {0: 1000})
    suite.check_numbered({0: [r.value for r in got[0]]}, {0: 1000})


def member(group, topic):
    return AIOKafkaConsumer(topic, bootstrap_servers=BOOTSTRAP, group_id=group, auto_offset_reset="earliest",
                            enable_auto_commit=False, session_timeout_ms=10000, heartbeat_interval_ms=500)


async def poll_until(members, got, done, what):
    async def loop():
        while not done():
            for consumer in members:
                for part, records in (await consumer.getmany(timeout_ms=100)).items():
                    got.setdefault(part.partition, []).extend(record.value for record in records)
    try:
        await asyncio.wait_for(loop(), 2 * WAIT_S)
    except asyncio.TimeoutError:
        raise AssertionError(f"{what} never happened") from None


@case
@asynchronous
async def group_of_two():
    topic = await create("aio-group", 4)
    await produce(topic, [(n % 4, None, suite.numbered(n % 4, n // 4), [], None) for n in range(200)])
    got = {}
    async with member(topic, topic) as first:
        async with member(topic, topic) as second:
            await poll_until([first, second], got,
                             lambda: len(first.assignment()) == len(second.assignment()) == 2, "two and two")
            assert not first.assignment() & second.assignment(), "a partition has two owners"
            await poll_until([first, second], got, lambda: sum(map(len, got.values())) >= 200, "200 records")
            await first.commit()
            await second.commit()
        await poll_until([first], got, lambda: len(first.assignment()) == 4, "all for who stays")
        equal(sorted([await first.committed(TopicPartition(topic, p)) for p in range(4)]), [50] * 4, "committed")
    suite.check_numbered(got, {p: 50 for p in range(4)})


suite.main()
