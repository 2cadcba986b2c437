"""What the Python suites share: the case runner, the control line, and the test data.

A suite registers functions with @case and ends with main(); each runs under its own time limit
and prints one PASS, FAIL or SKIP line, which the harness reads. What a case returns is what it measured.
"""
import os
import signal
import socket
import sys
import traceback
import uuid

BOOTSTRAP = os.environ.get("TG_BOOTSTRAP", "127.0.0.1:9092")
PROXIED = os.environ.get("TG_PROXIED", "")
DURABLE = os.environ.get("TG_DURABLE", "1") == "1"
GROWS = os.environ.get("TG_GROWS", "1") == "1"
SERVER = os.environ.get("TG_SERVER", "kafka")
PRODUCE_KEY = 0

_cases = []


class Skip(Exception):
    """The client cannot do this case; str() says why."""


def case(function=None, *, limit_s=120):
    def register(f):
        _cases.append((f.__name__, f, limit_s))
        return f
    return register(function) if function else register


def cannot(why, *names):
    """Registers cases that the client cannot do, so that each is a printed skip."""
    def skip():
        raise Skip(why)

    for name in names:
        _cases.append((name, skip, 10))


def main():
    wanted = os.environ.get("TG_CASE", "")
    failed = False
    for name, function, limit_s in _cases:
        if wanted not in name:
            continue
        failed |= not _run(name, function, limit_s)
    sys.exit(1 if failed else 0)


def _run(name, function, limit_s):
    def expire(*_):
        raise TimeoutError(f"no end after {limit_s} s")

    signal.signal(signal.SIGALRM, expire)
    signal.alarm(limit_s)
    try:
        measured = function()
        print(f"PASS {name}: {measured}" if measured else f"PASS {name}", flush=True)
    except Skip as skip:
        print(f"SKIP {name}: {skip}", flush=True)
    except BaseException as error:
        signal.alarm(0)
        traceback.print_exc()
        print(f"FAIL {name}: {type(error).__name__} {' '.join(str(error).split())[:600]}", flush=True)
        return False
    finally:
        signal.alarm(0)
    return True


def control(command):
    """Sends one command to the harness; returns the words after "ok"."""
    host, port = os.environ["TG_CONTROL"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), 90) as sock:
        sock.sendall((command + "\n").encode())
        answer = sock.makefile().readline().split()
    assert answer and answer[0] == "ok", f"{command}: {' '.join(answer)}"
    return answer[1:]


def topic_name(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def equal(got, want, what=""):
    assert got == want, f"{what}: got {_short(got)}, wanted {_short(want)}"


def _short(value):
    text = repr(value)
    return text if len(text) < 300 else text[:140] + " ... " + text[-140:]


ALL_BYTES = bytes(range(256))
BASE_MS = 1_600_000_000_000

# (key, value, headers, timestamp): every mix of absent, empty and full that a record can have.
ROUND_TRIP = [
    (b"k", b"v", [], BASE_MS + 1),
    (None, b"value without key", [], BASE_MS + 2),
    (b"", b"empty key", [], BASE_MS + 3),
    (b"tombstone", None, [], BASE_MS + 4),
    (b"empty value", b"", [], BASE_MS + 5),
    (None, None, [("only", b"header")], BASE_MS + 6),
    (ALL_BYTES, ALL_BYTES * 5, [("all", ALL_BYTES)], BASE_MS + 7),
    (b"headers", b"v", [("a", b"1"), ("b", b""), ("a", b"2"), ("\u00fcn\u00efcode \u2713", b"\xff\x00")],
     BASE_MS + 8),
    (b"earlier", b"time may go back", [], BASE_MS - 86_400_000),
]
# Some clients refuse a record with neither key nor value.
ROUND_TRIP_KEY_OR_VALUE = [r for r in ROUND_TRIP if r[0] is not None or r[1] is not None]
# Not every client can send these two; each suite that can adds them.
NULL_HEADER = (b"null header", b"v", [("nothing", None)], BASE_MS + 9)
EMPTY_HEADER_NAME = (b"empty name", b"v", [("", b"x")], BASE_MS + 10)

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LARGE_BYTES = 900 * 1024
TOO_LARGE_BYTES = 2 * 1024 * 1024


def numbered(partition, number):
    return f"{partition}:{number:08d}:".encode() + b"x" * (number % 200)


def check_numbered(values_by_partition, count_by_partition):
    """Every partition holds exactly its numbered values in order: nothing lost, twice or moved."""
    for partition, count in count_by_partition.items():
        got = values_by_partition.get(partition, [])
        for number, value in enumerate(got):
            equal(value, numbered(partition, number), f"partition {partition} record {number}")
        equal(len(got), count, f"partition {partition} count")
