"""What the clients of the kill test did and saw, and the verdict over it.

Events go to a file in the format of checker/ (one JSON object a line), and the checker judges them.
One rule is added here, because only this load promises it: a value names its producer, partition
and sequence ("p1:0:42"), and an idempotent producer never goes on past a lost record, so that in a
partition each producer's sequence is complete and in order.
"""
from checker.checker import check
from checker.history import Recorder, parse


class History:
    def __init__(self, path, topic):
        self.path, self.topic = path, topic
        self._file = open(path, "w", encoding="utf-8")
        self._recorder = Recorder(self._file)
        self.invokes = self.acked = self.unknowns = 0
        self.final = {}  # partition -> [(offset, value)] in the order of the final read

    def _tp(self, partition):
        return f"{self.topic}-{partition}"

    def invoked(self, client, partition, value):
        self.invokes += 1
        return self._recorder.invoke(client, "send", tp=self._tp(partition), value=value)

    def sent(self, op, offset):
        self.acked += 1
        self._recorder.ok(op, offset=offset)

    def unknown(self, op, why):
        self.unknowns += 1
        self._recorder.unknown(op, why=why)

    def reading(self, reader, partitions):
        """The reader begins at offset 0 of each."""
        self._recorder.note(reader, "assign", positions={self._tp(p): 0 for p in partitions})

    def read(self, reader, records):
        """records: (partition, offset, value) of one poll, in order."""
        self._recorder.note(reader, "poll", records=[[self._tp(p), o, v] for p, o, v in records])
        if reader == "final":
            for partition, offset, value in records:
                self.final.setdefault(partition, []).append((offset, value))

    def drained(self, reader, ends):
        self._recorder.note(reader, "drain", offsets={self._tp(p): end for p, end in ends.items()})

    def close(self):
        self._file.close()


def verdict(history):
    """All violations, as (kind, message)."""
    history.close()
    with open(history.path, encoding="utf-8") as lines:
        violations = check(parse(lines)).violations
    found = [(v.kind, f"{v.tp}: {v.message}") for v in violations]
    for partition, records in history.final.items():
        found += [("sequence", problem) for problem in broken_sequences(partition, records)]
    return found


def broken_sequences(partition, records):
    problems, last = [], {}
    for offset, value in records:
        producer, _, sequence = value.split(":")
        want = last.get(producer, -1) + 1
        if int(sequence) != want:
            problems.append(f"partition {partition} offset {offset} has {value}, the next of "
                            f"{producer} is {want}")
        last[producer] = max(int(sequence), want)
    return problems[:10]
