"""kcat (the distribution's librdkafka): what its command line can do, byte for byte."""
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
import suite  # noqa: E402
from suite import BOOTSTRAP, case, equal  # noqa: E402

KCAT = sys.argv[1]


def kcat(*arguments, stdin=b"", ok=True, bootstrap=BOOTSTRAP):
    done = subprocess.run([KCAT, "-b", bootstrap, *map(str, arguments)], input=stdin,
                          capture_output=True, timeout=50)
    if ok:
        assert done.returncode == 0, f"kcat {arguments}: {done.returncode} {done.stderr[-400:]!r}"
    return done


def produce(topic, stdin, *arguments, bootstrap=BOOTSTRAP):
    kcat("-P", "-t", topic, *arguments, stdin=stdin, bootstrap=bootstrap)


def consume(topic, form, *arguments, partition=0):
    return kcat("-C", "-t", topic, "-p", partition, "-e", "-q", "-f", form, *arguments).stdout


def metadata(*arguments):
    return json.loads(kcat("-L", "-J", *arguments).stdout)


@case
def list_metadata():
    topic = suite.topic_name("kcat-list")
    produce(topic, b"x\n", "-p", 0)  # made by the first record
    found = metadata("-t", topic)
    equal(len(found["brokers"]), 1, "brokers")
    parts = found["topics"][0]["partitions"]
    equal([p["partition"] for p in parts], [0], "partitions")
    equal(parts[0]["leader"], found["brokers"][0]["id"], "leader")
    assert topic in [t["topic"] for t in metadata()["topics"]], "not in the list of all topics"


@case
def round_trip():
    topic = suite.topic_name("kcat-rt")
    # -Z: an empty value or key is null; without it they are empty.
    produce(topic, b"k1=v1\nk2=\n=v3\n", "-p", 0, "-K", "=", "-H", "a=1", "-H", "b=", "-H", "a=2")
    produce(topic, b"k4=\n=v5\n", "-p", 0, "-K", "=", "-Z")
    out = consume(topic, "%o|%K|%k|%S|%s|%h;")
    equal(out, b"0|2|k1|2|v1|a=1,b=,a=2;1|2|k2|0||a=1,b=,a=2;2|0||2|v3|a=1,b=,a=2;"
               b"3|2|k4|-1||;4|-1||2|v5|;")


@case
def binary_values():
    topic = suite.topic_name("kcat-bin")
    value = bytes(b for b in range(256) if b != 0x1e) * 3
    produce(topic, value + b"\x1e" + value[::-1], "-p", 0, "-D", "\x1e")
    equal(consume(topic, "%s\x1e"), value + b"\x1e" + value[::-1] + b"\x1e")


@case
def codecs():
    lines = b"".join(b"compressible line %06d %s\n" % (n, b"abc" * 20) for n in range(1000))
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        topic = suite.topic_name(f"kcat-{codec}")
        produce(topic, lines, "-p", 0, "-z", codec)
        assert consume(topic, "%s\n") == lines, f"{codec}: what came back differs"


@case
def large_record():
    topic = suite.topic_name("kcat-large")
    value = os.urandom(suite.LARGE_BYTES).replace(b"\x1e", b".")
    produce(topic, value, "-p", 0, "-D", "\x1e")
    assert consume(topic, "%s") == value, "900 KB record differs"


@case
def too_large():
    topic = suite.topic_name("kcat-too-large")
    produce(topic, b"before\n", "-p", 0)
    done = kcat("-P", "-t", topic, "-p", 0, "-D", "\x1e", "-X", "message.max.bytes=8000000",
                stdin=b"x" * suite.TOO_LARGE_BYTES, ok=False)
    assert b"Message size too large" in done.stderr, f"no size error but {done.stderr[-300:]!r}"
    equal(consume(topic, "%o:%s;"), b"0:before;", "log after the refusal")


@case
def offsets_and_times():
    topic = suite.topic_name("kcat-offsets")
    produce(topic, b"".join(b"%d\n" % n for n in range(100)), "-p", 0)
    stamps = [int(t) for t in consume(topic, "%T\n").split()]
    equal(len(stamps), 100, "timestamps")
    assert stamps == sorted(stamps) and stamps[0] > suite.BASE_MS, stamps[:3]
    query = kcat("-Q", "-t", f"{topic}:0:{stamps[0]}", "-t", f"{topic}:0:{stamps[-1] + 60000}")
    text = query.stdout.decode()
    assert f"{topic} [0] offset 0" in text or f"{topic} [0] offset -1" in text, text
    equal(consume(topic, "%s;", "-o", 90), b"".join(b"%d;" % n for n in range(90, 100)), "from 90")
    equal(consume(topic, "%s;", "-o", -5), b"".join(b"%d;" % n for n in range(95, 100)), "last 5")
    equal(consume(topic, "%s;", "-o", f"s@{stamps[0]}", "-c", 1), b"0;", "from a time")


@case
def many_in_order():
    topic = suite.topic_name("kcat-many")
    lines = b"".join(b"%06d\n" % n for n in range(10_000))
    produce(topic, lines, "-p", 0, "-X", "batch.num.messages=300")
    equal(consume(topic, "%s\n"), lines, "10,000 records")


# With one broker, a lost connection is to kcat "all broker connections are down", and it ends.
suite.cannot("kcat ends with an error when the connection to its only broker is lost",
             "idempotent_retry", "restart_in_the_middle")
suite.cannot("kcat has no admin commands", "topic_admin")
suite.cannot("a kcat is a process with one client; the librdkafka suite opens 200",
             "two_hundred_connections")


@case(limit_s=150)
def restart_keeps_records():
    if not suite.DURABLE:
        raise suite.Skip("the engine keeps nothing over a restart")
    topic = suite.topic_name("kcat-restart")
    produce(topic, b"one\ntwo\n", "-p", 0)
    suite.control("kill")
    produce(topic, b"three\n", "-p", 0)
    suite.control("restart")
    equal(consume(topic, "%o:%s;"), b"0:one;1:two;2:three;")


@case
def group_consumer():
    topic = suite.topic_name("kcat-group")
    lines = b"".join(b"line %03d\n" % n for n in range(100))
    produce(topic, lines, "-p", 0)
    balanced = ("-q", "-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=10000")
    first = kcat("-G", topic, "-c", 60, *balanced, topic).stdout
    # What was read was committed at the end: the next one in the group goes on behind it.
    second = kcat("-G", topic, "-c", 40, *balanced, topic).stdout
    equal(first + second, lines)


suite.main()
