"""What clients did and saw, and the verdict over it.

A value names its producer, partition and sequence ("p1:0:42") and is sent once. Rules:
  lost          acknowledged, and not in the final read
  duplicate     one value at two offsets of the final read
  inconsistent  an acknowledgement or an earlier read names another value than the final read has
  order         a producer's values are not in sequence in a partition, or one is left out between
                two that are there (an idempotent producer never goes on past a lost record)
  unseen        a partition's offsets have a hole
A record whose outcome is unknown may be there or not, but never twice.
"""
import json
import threading
from collections import defaultdict


class History:
    def __init__(self, path=None):
        self._file = open(path, "w") if path else None
        self._lock = threading.Lock()
        self.invokes = 0
        self.acked = {}  # value -> (partition, offset)
        self.failed = {}  # value -> why its outcome is unknown
        self.tail_reads = defaultdict(dict)  # partition -> offset -> value
        self.final = defaultdict(list)  # partition -> [(offset, value)] in the order of reading
        self.problems = []

    def _write(self, **event):
        if self._file:
            self._file.write(json.dumps(event) + "\n")

    def invoked(self, client, partition, value):
        with self._lock:
            self.invokes += 1
            self._write(client=client, type="invoke", partition=partition, value=value)

    def sent(self, client, partition, value, offset):
        value = value.rstrip()
        with self._lock:
            self._write(client=client, type="ok", partition=partition, value=value, offset=offset)
            if value in self.acked:
                self.problems.append(f"inconsistent: {value} acknowledged twice")
            self.acked[value] = (partition, offset)

    def unknown(self, client, partition, value, why):
        value = value.rstrip()
        with self._lock:
            self._write(client=client, type="unknown", partition=partition, value=value, why=why)
            self.failed[value] = why

    def read(self, reader, partition, value, offset):
        with self._lock:
            self._write(client=reader, type="read", partition=partition, value=value, offset=offset)
            if reader == "final":
                self.final[partition].append((offset, value))
                return
            earlier = self.tail_reads[partition].setdefault(offset, value)
            if earlier != value:
                self.problems.append(f"inconsistent: partition {partition} offset {offset} was "
                                     f"read as {earlier} and as {value}")

    def close(self):
        if self._file:
            self._file.close()


def verdict(history):
    """All violations, as lines that begin with their class."""
    problems = list(history.problems)
    at = {}  # (partition, offset) -> value
    place = {}  # value -> (partition, offset)
    for partition, records in history.final.items():
        problems += _holes(partition, records)
        for offset, value in records:
            if value in place:
                problems.append(f"duplicate: {value} at {place[value]} and {(partition, offset)}")
            place[value] = (partition, offset)
            at[partition, offset] = value
        problems += _order(partition, records)
    for value, where in history.acked.items():
        if value not in place:
            problems.append(f"lost: {value}, acknowledged at {where}, where {at.get(where)} is")
        elif place[value] != where:
            problems.append(f"inconsistent: {value} acknowledged at {where}, found at {place[value]}")
    for partition, seen in history.tail_reads.items():
        for offset, value in seen.items():
            if at.get((partition, offset)) != value:
                problems.append(f"inconsistent: partition {partition} offset {offset} was read as "
                                f"{value}, in the end it is {at.get((partition, offset))}")
    return problems


def _holes(partition, records):
    return [f"unseen: partition {partition} goes from offset {a[0]} to {b[0]}"
            for a, b in zip(records, records[1:]) if b[0] != a[0] + 1][:10]


def _order(partition, records):
    problems, last = [], {}
    for offset, value in records:
        producer, _, sequence = value.split(":")
        want = last.get(producer, -1) + 1
        if int(sequence) != want:
            problems.append(f"order: partition {partition} offset {offset} has {value}, "
                            f"the next of {producer} is {want}")
        last[producer] = max(int(sequence), want)
    return problems[:10]
