"""Reading and writing histories. The format is in README.md."""
import heapq
import json
import threading
import time
from dataclasses import dataclass, field

TYPES = ("invoke", "ok", "fail", "unknown")
REQUIRED = {
    "send": ("tp", "value"),
    "poll": (),
    "assign": ("positions",),
    "seek": ("positions",),
    "commit": ("group", "offsets"),
    "resume": ("group", "tp", "offset"),
    "own": ("group", "generation", "tps"),
    "revoke": ("group", "tps"),
    "lost": ("group", "tps"),
    "describe": ("group", "assignments"),
    "end": ("txn", "outcome"),
    "watermark": ("tp",),
    "drain": ("offsets",),
}


class HistoryError(Exception):
    """The history itself is broken: no verdict is possible."""


@dataclass(slots=True)
class Op:
    """One operation: asked at line `invoked`, answered at line `ended`."""
    client: str
    f: str
    type: str
    invoked: int
    ended: int
    fields: dict = field(default_factory=dict)

    def get(self, name, default=None):
        return self.fields.get(name, default)

    def records(self):
        """What a poll returned: (tp, offset, value) in order."""
        if "records" in self.fields:
            return [tuple(record) for record in self.fields["records"]]
        if "offset" in self.fields:
            return [(self.fields["tp"], self.fields["offset"], self.fields["value"])]
        return []


def parse(lines):
    """Op per operation, in the order of their ends. Unfinished ones come last, as unknown."""
    started = {}
    seen = set()
    ops = []
    number = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        entry = _entry(number, line)
        key = (entry["client"], entry["op"])
        if entry["type"] == "invoke":
            if key in seen:
                raise HistoryError(f"line {number}: operation {key} is invoked twice")
            seen.add(key)
            started[key] = (number, entry)
            continue
        invoked, asked = started.pop(key, (number, {}))
        if not asked and key in seen:
            raise HistoryError(f"line {number}: operation {key} ends twice")
        seen.add(key)
        fields = {**asked, **entry}
        if asked and asked["f"] != entry["f"]:
            raise HistoryError(f"line {number}: operation {key} began as {asked['f']}")
        ops.append(Op(entry["client"], entry["f"], entry["type"], invoked, number, fields))
    for invoked, asked in sorted(started.values(), key=lambda item: item[0]):
        ops.append(Op(asked["client"], asked["f"], "unknown", invoked, number + 1, asked))
    return ops


def merge(paths):
    """The lines of several processes' files as one history, by their time stamps `t` (nanoseconds of
    CLOCK_MONOTONIC, which all processes of a machine share). A line that a SIGKILL cut off is no line."""
    return (line for _, _, line in heapq.merge(*(_stamped(at, path) for at, path in enumerate(paths))))


def _stamped(at, path):
    last = 0
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return
            if not line.strip():
                continue
            try:
                stamp = json.loads(line)["t"]
            except (ValueError, KeyError, TypeError):
                raise HistoryError(f"{path}: line {number} has no time stamp t") from None
            if stamp < last:
                raise HistoryError(f"{path}: line {number} goes back in time")
            last = stamp
            yield stamp, at, line


def _entry(number, line):
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise HistoryError(f"line {number}: not JSON: {error}") from None
    if not isinstance(entry, dict):
        raise HistoryError(f"line {number}: not an object")
    for name in ("client", "op", "type", "f"):
        if name not in entry:
            raise HistoryError(f"line {number}: no {name}")
    if entry["type"] not in TYPES:
        raise HistoryError(f"line {number}: type {entry['type']!r}")
    if entry["f"] not in REQUIRED:
        raise HistoryError(f"line {number}: f {entry['f']!r}")
    for name in REQUIRED[entry["f"]]:
        if name not in entry:
            raise HistoryError(f"line {number}: {entry['f']} without {name}")
    return entry


class Recorder:
    """Writes a history from a test with many threads: `op = r.invoke(...)`, then `r.ok(op, ...)`.
    With `stamped`, lines carry the time that merge() orders several files by."""

    def __init__(self, out, stamped=False):
        self._out = out
        self._stamped = stamped
        self._lock = threading.Lock()
        self._next = 0

    def invoke(self, client, f, **fields):
        with self._lock:
            op = {"client": client, "op": self._next, "f": f, **fields}
            self._next += 1
            self._write({**op, "type": "invoke"})
        return op

    def ok(self, op, **fields):
        self._end(op, "ok", fields)

    def fail(self, op, **fields):
        self._end(op, "fail", fields)

    def unknown(self, op, **fields):
        self._end(op, "unknown", fields)

    def note(self, client, f, **fields):
        """An operation that is told only when it is over."""
        with self._lock:
            self._write({"client": client, "op": self._next, "type": "ok", "f": f, **fields})
            self._next += 1

    def _end(self, op, type_, fields):
        with self._lock:
            self._write({**op, **fields, "type": type_})

    def _write(self, entry):
        if self._stamped:
            entry = {**entry, "t": time.monotonic_ns()}
        self._out.write(json.dumps(entry, separators=(",", ":")) + "\n")
