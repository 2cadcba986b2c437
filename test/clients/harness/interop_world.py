"""Where the cases of interop_test happen: a SeaweedFS, one Tidegate, and SeaweedFS's own messaging beside it,
which each case starts afresh and which is killed behind it. And what Kafka clients write and read there."""
import json
import random
import subprocess
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from . import deps
from .gateways import Gateway
from .native import Broker, Filer
from .seaweed import RealSeaweed
from .seaweed_others import NativeMessaging
from .servers import ServerError

PATIENCE_S = 90  # a broker flushes what it has every five seconds; a new one needs up to twenty to lead
CHUNK_BYTES = 8 << 20  # a broker's


class World:
    def __init__(self, work, binary):
        self.work, self.seaweed = work, RealSeaweed(work)
        self.gateway = Gateway(work, binary, 1, self.seaweed,
                               ("topics.refresh.interval.ms=1000", "log.retention.check.interval.ms=2000"))
        self.native = NativeMessaging(self.seaweed)
        self.broker = self.filer = None
        self.java = self._admin = None

    def start(self):
        self.seaweed.start()
        self.gateway.start()
        self.filer = Filer(f"127.0.0.1:{self.seaweed.grpc['filer']}")
        classpath = deps.java_classes("java", deps.maven_classpath("java"))
        self.java = [deps.tool("java"), "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", classpath, "Dump"]

    def fresh_broker(self):
        """One that has opened nothing yet."""
        self.end_native()
        self.native.start(with_gateway=False)
        self.broker = Broker(self.native.broker)
        return self.broker

    def go_gateway(self):
        """With a broker of its own, so that neither knows anything but what is stored."""
        self.end_native()
        self.native.start()
        return self.native.gateway

    def end_native(self):
        if self.broker:
            self.broker.close()
        self.native.close()
        self.broker = None

    def close(self):
        self.end_native()
        self.gateway.close()
        self.seaweed.close()

    @property
    def bootstrap(self):
        return self.gateway.bootstrap

    def admin(self):
        """One for all: a client that is collected cancels its calls."""
        if not self._admin:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self._admin

    def create(self, topic, partitions, **config):
        new = NewTopic(topic, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()})
        self.admin().create_topics([new])[topic].result(PATIENCE_S)

    def shell(self, command):
        """What `weed shell` prints."""
        done = subprocess.run([self.seaweed.binary, "shell", f"-master={self.seaweed.masters}"],
                              input=command + "\n", capture_output=True, text=True, timeout=PATIENCE_S,
                              cwd=self.work)
        return done.stdout + done.stderr

    def restart_gateway(self):
        code, seconds = self.gateway.stop()
        if code != 0:
            raise ServerError(f"the gateway ended with {code} after {seconds:.1f} s")
        self.gateway.start()


def equal(got, wanted, what):
    if got == wanted:
        return
    if isinstance(got, list) and isinstance(wanted, list):
        for n, (one, other) in enumerate(zip(got, wanted)):
            if one != other:
                raise AssertionError(f"{what}: number {n} of {len(got)} is {str(one)[:150]}, "
                                     f"wanted {str(other)[:150]}")
        raise AssertionError(f"{what}: {len(got)}, wanted {len(wanted)}")
    raise AssertionError(f"{what}: {str(got)[:200]}, wanted {str(wanted)[:200]}")


def wait_until(what, good, patience_s=PATIENCE_S):
    end = time.monotonic() + patience_s
    while not good():
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience_s} s: {what}")
        time.sleep(0.3)


# ------------------------------------------------------------------------------------ what is written

EDGES = [(b"key", b"value"), (b"", b"no key"), (b"no value", b""), (b"", b""), (b"\0", b"\0\1\2"),
         (b"\xff\xfe", b"not UTF-8 \xc3\x28"), (b"k" * 300, b"v"), (b"big", bytes(range(255, -1, -1)) * 1024)]


def native_records(seed, count, size):
    """No value looks as if it named a schema: the Go gateway would ask its registry and refuse the record."""
    rng = random.Random(seed)
    return EDGES + [(b"key-%d" % n, b"r" + rng.randbytes(rng.randrange(size))) for n in range(count)]


def as_read(records):
    """(key, value) of another's topic as Kafka clients see it: empty and none are the same there."""
    return [(key or None, value or None) for key, value in records]


class Sender:
    """A librdkafka producer; what was acknowledged, by partition and offset."""

    def __init__(self, bootstrap, **config):
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "log_level": 2,
                                  "message.timeout.ms": 120000, **config})
        self.at, self.errors = {}, []

    def send(self, topic, partition, records, headers=None, timestamps=None):
        """(key, value) each; None is nothing."""
        for n, (key, value) in enumerate(records):
            def told(error, message, record=(key, value)):
                if error:
                    self.errors.append(str(error))
                else:
                    self.at[message.partition(), message.offset()] = record
            while True:
                try:
                    self.producer.produce(topic, value, key, partition, headers=headers, on_delivery=told,
                                          timestamp=timestamps[n] if timestamps else 0)
                    break
                except BufferError:
                    self.producer.poll(0.2)

    def first(self, topic, partition):
        """Sends one record until it is taken: the Go gateway refuses some while its broker begins."""
        def taken():
            self.errors.clear()
            self.send(topic, partition, [(b"first", b"first")])
            return self.producer.flush(PATIENCE_S * 2) == 0 and not self.errors
        wait_until(f"a record is taken for {topic}-{partition}", taken)

    def flush(self):
        left = self.producer.flush(PATIENCE_S * 2)
        if left or self.errors:
            raise AssertionError(f"{left} not sent, {len(self.errors)} errors: {self.errors[:2]}")

    def log(self, partition):
        found = sorted((offset, record) for (p, offset), record in self.at.items() if p == partition)
        equal([offset for offset, _ in found], list(range(len(found))), f"offsets given in {partition}")
        return [record for _, record in found]


# -------------------------------------------------------------------------------------- what is read

def ends(world, topic, partitions):
    consumer = Consumer({"bootstrap.servers": world.bootstrap, "group.id": "unused", "log_level": 0})
    try:
        return [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1]
                for p in range(partitions)]
    except KafkaException:
        return None
    finally:
        consumer.close()


def read_librdkafka(world, topic, partitions):
    """[(offset, key, value, timestamp, headers)] of each partition, up to its end."""
    consumer = Consumer({"bootstrap.servers": world.bootstrap, "group.id": "unused", "log_level": 2,
                         "enable.auto.commit": False, "auto.offset.reset": "error",
                         "enable.partition.eof": True})
    got, open_ones = [[] for _ in range(partitions)], set(range(partitions))
    consumer.assign([TopicPartition(topic, p, 0) for p in open_ones])
    end = time.monotonic() + PATIENCE_S
    while open_ones and time.monotonic() < end:
        for message in consumer.consume(1000, 1):
            if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                open_ones.discard(message.partition())
            elif message.error():
                raise KafkaException(message.error())
            else:
                got[message.partition()].append((message.offset(), message.key(), message.value(),
                                                 message.timestamp()[1], message.headers() or []))
    consumer.close()
    equal(open_ones, set(), "partitions without an end")
    return got


def read_java(world, topic, partitions):
    done = subprocess.run([*world.java, world.bootstrap, topic, str(partitions)], capture_output=True,
                          text=True, timeout=PATIENCE_S * 2)
    if done.returncode:
        raise AssertionError(f"Java ended with {done.returncode}: {done.stderr[-300:]}")

    def plain(text):
        return None if text is None else bytes.fromhex(text)

    got = [[] for _ in range(partitions)]
    for line in done.stdout.splitlines():
        partition, offset, key, value, timestamp, headers = json.loads(line)
        got[partition].append((offset, plain(key), plain(value), timestamp,
                               [(name, plain(text)) for name, text in headers]))
    return got


def check_reads(world, topic, logs, times=None, headers=()):
    """Both clients read the logs ([(key, value)] of each partition); the times, too, in milliseconds."""
    wanted = [len(log) for log in logs]
    wait_until(f"{topic} has its records", lambda: ends(world, topic, len(logs)) == wanted)
    for name, read in (("librdkafka", read_librdkafka), ("Java", read_java)):
        for partition, (got, log) in enumerate(zip(read(world, topic, len(logs)), logs)):
            what = f"{name}, {topic}-{partition}"
            equal([one[0] for one in got], list(range(len(log))), f"{what}: offsets")
            equal([one[1:3] for one in got], log, f"{what}: keys and values")
            if times:
                equal([one[3] for one in got], times[partition], f"{what}: times")
            equal([one[4] for one in got], [list(headers)] * len(log), f"{what}: headers")
