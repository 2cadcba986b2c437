"""Good histories for the checker's own tests: a small log service that does everything right, and
clients that pipeline, time out, abort, rebalance and commit at random. Seeded."""
import random

PARTITIONS = ("t-0", "t-1", "t-2")


class Log:
    def __init__(self):
        self.entries = []   # (value or None for a marker, txn or None)
        self.open = {}      # txn -> first offset

    def append(self, value, txn=None):
        self.entries.append((value, txn))
        offset = len(self.entries) - 1
        if txn is not None:
            self.open.setdefault(txn, offset)
        return offset

    def close(self, txn):
        if self.open.pop(txn, None) is not None:
            self.entries.append((None, txn))

    @property
    def end(self):
        return len(self.entries)

    @property
    def stable(self):
        return min(self.open.values(), default=self.end)


class Consumer:
    def __init__(self, name, isolation, group=None):
        self.name = name
        self.isolation = isolation
        self.group = group
        self.positions = {}


class Simulation:
    def __init__(self, seed, steps=150):
        self.random = random.Random(seed)
        self.lines = []
        self.logs = {tp: Log() for tp in PARTITIONS}
        self.aborted = set()
        self.committed = {}          # (group, tp) -> offset
        self.counter = 0
        self.txns = 0
        self.generation = 0
        free = Consumer("free", "read_uncommitted")
        self.consumers = [free, Consumer("m0", "read_committed", "g"), Consumer("m1", "read_committed", "g")]
        self._assign(free, PARTITIONS)
        self._rebalance()
        actions = ([self._sends] * 5 + [self._transaction] * 3 + [self._poll] * 8 + [self._commit] * 3
                   + [self._watermarks] * 2 + [self._rebalance, self._loose_sends, self._chained_sends])
        for _ in range(steps):
            self.random.choice(actions)()
        self._drain()

    # ---- writing lines

    def _line(self, client, op, type_, f, **fields):
        self.lines.append({"client": client, "op": op, "type": type_, "f": f, **fields})

    def _number(self):
        self.counter += 1
        return self.counter

    def _told(self, client, f, **fields):
        op = self._number()
        self._line(client, op, "invoke", f, **fields)
        self._line(client, op, "ok", f, **fields)

    # ---- producers

    def _sends(self):
        """An idempotent producer with several sends in flight, answered in any order."""
        client = self.random.choice(("p0", "p1"))
        flight = []
        for _ in range(self.random.randint(1, 6)):
            op = self._number()
            fields = {"tp": self.random.choice(PARTITIONS), "value": f"v{op}"}
            self._line(client, op, "invoke", "send", **fields)
            flight.append((op, fields))
        answers = []
        for op, fields in flight:
            fate = self.random.random()
            if fate < 0.06:
                answers.append((op, "fail", fields))
            elif fate < 0.10:
                answers.append((op, "unknown", fields))
            else:
                offset = self.logs[fields["tp"]].append(fields["value"])
                lost_answer = fate < 0.16
                answers.append((op, "unknown", fields) if lost_answer else (op, "ok", {**fields, "offset": offset}))
        self.random.shuffle(answers)
        for op, type_, fields in answers:
            if type_ == "unknown" and self.random.random() < 0.5:
                continue  # an invoke that never ends
            self._line(client, op, type_, "send", **fields)

    def _loose_sends(self):
        """A producer without idempotence: a retry may write twice."""
        op = self._number()
        tp = self.random.choice(PARTITIONS)
        fields = {"tp": tp, "value": f"loose{op}", "idempotent": False}
        self._line("loose", op, "invoke", "send", **fields)
        offset = self.logs[tp].append(fields["value"])
        if self.random.random() < 0.5:
            offset = self.logs[tp].append(fields["value"])
        self._line("loose", op, "ok", "send", **fields, offset=offset)

    def _chained_sends(self):
        """A sender that promises to stop at the first record it loses: it loses answers only."""
        for _ in range(self.random.randint(2, 5)):
            op = self._number()
            fields = {"tp": self.random.choice(PARTITIONS), "value": f"c{op}", "chained": True}
            self._line("chain", op, "invoke", "send", **fields)
            offset = self.logs[fields["tp"]].append(fields["value"])
            if self.random.random() < 0.4:
                self._line("chain", op, "unknown", "send", **fields)
            else:
                self._line("chain", op, "ok", "send", **fields, offset=offset)

    def _transaction(self):
        self.txns += 1
        txn = f"txn{self.txns}"
        client = f"tp{self.txns % 2}"
        touched = set()
        for _ in range(self.random.randint(2, 5)):
            op = self._number()
            tp = self.random.choice(PARTITIONS)
            fields = {"tp": tp, "value": f"x{op}", "txn": txn}
            self._line(client, op, "invoke", "send", **fields)
            offset = self.logs[tp].append(fields["value"], txn)
            self._line(client, op, "ok", "send", **fields, offset=offset)
            touched.add(tp)
            if self.random.random() < 0.3:
                self._poll()
            if self.random.random() < 0.3:
                self._sends()
        committed = self._read_in(txn) if self.random.random() < 0.3 else None
        outcome = "commit" if self.random.random() < 0.65 or committed else "abort"
        if outcome == "abort":
            self.aborted.add(txn)
        op = self._number()
        self._line(client, op, "invoke", "end", txn=txn, outcome=outcome)
        for tp in sorted(touched):
            self.logs[tp].close(txn)
        if self.random.random() > 0.1:
            self._line(client, op, "ok", "end", txn=txn, outcome=outcome)

    def _read_in(self, txn):
        """The reads of a read-process-write transaction."""
        reader = Consumer(f"reader-{txn}", "read_committed")
        self._assign(reader, PARTITIONS)
        return self._poll_of(reader, txn=txn)

    # ---- consumers

    def _assign(self, consumer, tps):
        consumer.positions = {tp: 0 for tp in tps}
        self._told(consumer.name, "assign", positions=dict(consumer.positions))

    def _rebalance(self):
        """Eager: all is given up first. Cooperative: a generation in which what moves is given up, then one in
        which it is given out."""
        members = [consumer for consumer in self.consumers if consumer.group]
        placed = {consumer.name: set() for consumer in members}
        for tp in PARTITIONS:
            placed[self.random.choice(members).name].add(tp)
        cooperative = self.random.random() < 0.5
        for consumer in members:
            going = set(consumer.positions) - (placed[consumer.name] if cooperative else set())
            if going:
                self._told(consumer.name, "revoke", group=consumer.group, tps=sorted(going))
            consumer.positions = {tp: at for tp, at in consumer.positions.items() if tp not in going}
        if cooperative:
            self._generation(members, cooperative)
        for consumer in members:
            for tp in sorted(placed[consumer.name] - set(consumer.positions)):
                consumer.positions[tp] = None
        self._generation(members, cooperative)
        for consumer in members:
            for tp in sorted(tp for tp, at in consumer.positions.items() if at is None):
                offset = self.committed.get((consumer.group, tp), -1)
                self._told(consumer.name, "resume", group=consumer.group, tp=tp, offset=offset)
                consumer.positions[tp] = max(offset, 0)
                if offset < 0:
                    self._told(consumer.name, "seek", positions={tp: 0})

    def _generation(self, members, cooperative):
        self.generation += 1
        for consumer in members:
            self._told(consumer.name, "own", group=consumer.group, generation=self.generation,
                       tps=sorted(consumer.positions), cooperative=cooperative)
        self._told("admin", "describe", group=members[0].group,
                   assignments={consumer.name: sorted(consumer.positions) for consumer in members})

    def _poll(self):
        self._poll_of(self.random.choice(self.consumers))

    def _poll_of(self, consumer, txn=None, limit=8):
        records = []
        lso, hw = {}, {}
        op = self._number()
        more = {"txn": txn} if txn else {}
        self._line(consumer.name, op, "invoke", "poll", isolation=consumer.isolation, **more)
        for tp in consumer.positions:
            log = self.logs[tp]
            committed_only = consumer.isolation == "read_committed"
            end = log.stable if committed_only else log.end
            lso[tp], hw[tp] = log.stable, log.end
            for offset in range(consumer.positions[tp], min(end, consumer.positions[tp] + limit)):
                value, of = log.entries[offset]
                consumer.positions[tp] = offset + 1
                if value is None or (committed_only and of in self.aborted):
                    continue
                records.append([tp, offset, value])
        self._line(consumer.name, op, "ok", "poll", isolation=consumer.isolation, records=records, lso=lso, hw=hw,
                   **more)
        return records

    def _commit(self):
        consumer = self.random.choice([c for c in self.consumers if c.group])
        if not consumer.positions:
            return
        offsets = dict(consumer.positions)
        op = self._number()
        self._line(consumer.name, op, "invoke", "commit", group=consumer.group, offsets=offsets)
        fate = self.random.random()
        if fate < 0.1:
            self._line(consumer.name, op, "fail", "commit", group=consumer.group, offsets=offsets)
            return
        if fate < 0.15:
            return  # never arrived, never answered
        for tp, offset in offsets.items():
            self.committed[(consumer.group, tp)] = offset
        if fate > 0.25:
            self._line(consumer.name, op, "ok", "commit", group=consumer.group, offsets=offsets)

    def _watermarks(self):
        for tp in PARTITIONS:
            self._told("admin", "watermark", tp=tp, hw=self.logs[tp].end, lso=self.logs[tp].stable, start=0)

    def _drain(self):
        last = Consumer("drain", "read_committed")
        self._assign(last, PARTITIONS)
        while any(last.positions[tp] < self.logs[tp].end for tp in PARTITIONS):
            self._poll_of(last, limit=20)
        self._told("drain", "drain", offsets={tp: self.logs[tp].end for tp in PARTITIONS})
