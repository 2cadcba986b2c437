"""What a history says: who wrote what where, who read it, which positions readers went through.
Violations that only need the order of lines (going back, resuming too low) are found on the way."""
import bisect
from collections import defaultdict
from dataclasses import dataclass

from .history import HistoryError
from .ownership import Ownership


@dataclass(slots=True)
class Jump:
    """A reader or committer went from `begin` to `end` without what is between."""
    client: str
    tp: str
    begin: int
    end: int
    line: int
    internal: bool = False


class Floors:
    """Values that must not go back. What ended before an operation was asked binds it; what was under
    way at the same time does not."""

    def __init__(self):
        self._ended = defaultdict(lambda: ([], []))  # key -> lines, running maximum

    def floor(self, key, invoked):
        lines, maxima = self._ended[key]
        at = bisect.bisect_left(lines, invoked)
        return maxima[at - 1] if at else None

    def add(self, key, ended, value):
        lines, maxima = self._ended[key]
        lines.append(ended)
        maxima.append(max(value, maxima[-1]) if maxima else value)


class Facts:
    def __init__(self, ops, report):
        self._report = report
        self.sends = {}                         # value -> Op
        self.reads = defaultdict(list)          # value -> [(tp, offset, line, read_committed)]
        self.places = defaultdict(dict)         # value -> {(tp, offset): line}
        self.values_at = defaultdict(dict)      # (tp, offset) -> {value: line}
        self.outcomes = {}                      # txn -> commit, abort, unknown
        self.txn_reads = []                     # (txn, value, line)
        self.skips = []
        self.commits_ahead = []
        self.drained = {}
        self.log_start = defaultdict(int)
        self._spans = defaultdict(list)         # tp -> [(begin, end)] that readers went through
        self._positions = defaultdict(dict)     # client -> {tp: offset or None}
        self._commits = defaultdict(list)       # (group, tp) -> [(invoked, ended, type, offset)]
        self._resumes = []
        self.ownership = Ownership(report)
        self._marks = Floors()
        self._offsets = Floors()
        # An answer counts from where it is told; what a committer had read, from where it asked.
        events = [(op.ended, 1, getattr(self, "_" + op.f), op) for op in ops]
        events += [(op.invoked, 0, self._commit_asked, op) for op in ops if op.f == "commit"]
        events.sort(key=lambda event: event[:2])
        for _, _, learn, op in events:
            learn(op)
        for op in ops:
            report.counts[f"{op.f} {op.type}"] += 1
        self._settle_outcomes()
        self._merge_spans()
        self._send_order()
        self._check_resumes()
        self._seen = defaultdict(list)
        for (tp, offset), values in self.values_at.items():
            self._seen[tp].append((offset, min(values, key=str)))
        for seen in self._seen.values():
            seen.sort()

    def _settle_outcomes(self):
        """Whoever asked for the end may not know it, but a read_committed reader has seen it."""
        for value, reads in self.reads.items():
            send = self.sends.get(value)
            txn = send.get("txn") if send is not None else None
            if txn is None or self.outcomes.get(txn, "unknown") != "unknown":
                continue
            if any(committed_only for _, _, _, committed_only in reads):
                self.outcomes[txn] = "commit"

    # ---- questions

    def outcome(self, send):
        """commit, abort or unknown; a record outside of transactions is committed by itself."""
        txn = send.get("txn")
        return "commit" if txn is None else self.outcomes.get(txn, "unknown")

    @staticmethod
    def offset_of(send):
        offset = send.get("offset")
        return offset if offset is not None and offset >= 0 else None

    def may_be_gone(self, send):
        offset = self.offset_of(send)
        start = self.log_start[send.get("tp")]
        return start > 0 and (offset is None or offset < start)

    def covered(self, tp, offset):
        spans = self._spans[tp]
        at = bisect.bisect_right(spans, (offset, float("inf"))) - 1
        return at >= 0 and spans[at][0] <= offset < spans[at][1]

    def seen_between(self, tp, begin, end):
        """(offset, value) of what is known to be in [begin, end), by offset."""
        seen = self._seen[tp]
        at = bisect.bisect_left(seen, (begin,))
        while at < len(seen) and (end is None or seen[at][0] < end):
            yield seen[at]
            at += 1

    def partitions(self):
        return sorted(self._seen)

    # ---- gathering, one method an f

    def _send(self, op):
        value = op.get("value")
        if value in self.sends:
            raise HistoryError(f"line {op.ended}: value {value!r} is sent twice; values must tell sends apart")
        self.sends[value] = op
        offset = self.offset_of(op)
        if op.type != "ok" or offset is None:
            return
        tp = op.get("tp")
        self.places[value].setdefault((tp, offset), op.ended)
        self.values_at[(tp, offset)].setdefault(value, op.ended)
        floor = self._offsets.floor(tp, op.invoked)
        if floor is not None and offset < floor:
            self._report.add("nonmonotonic-send", tp,
                            f"{value!r} got {offset} although {floor} had been given before it was sent", op.ended)
        self._offsets.add(tp, op.ended, offset)

    def _send_order(self):
        """An idempotent producer's records are in the log in the order in which it sent them."""
        last = {}
        for op in sorted(self.sends.values(), key=lambda op: op.invoked):
            offset = self._place_of(op)
            if offset is None or not op.get("idempotent", True):
                continue
            key = (op.client, op.get("tp"))
            before = last.get(key)
            if before is not None and offset < before[0]:
                self._report.add("nonmonotonic-send", key[1],
                                f"{op.client} sent {before[1].get('value')!r} before {op.get('value')!r}, but they are at "
                                f"{before[0]} and {offset}", before[1].ended, op.ended)
            last[key] = (offset, op)

    def _place_of(self, send):
        """Where the record is: as acknowledged, else as read. None: not there, as far as is known."""
        offset = self.offset_of(send) if send.type == "ok" else None
        if offset is not None:
            return offset
        return min((at for tp, at in self.places.get(send.get("value"), ()) if tp == send.get("tp")), default=None)

    def send_gaps(self):
        """(absent, later) of senders that promise to stop at the first record that is not written."""
        absent = {}
        for op in sorted(self.sends.values(), key=lambda op: op.invoked):
            tp = op.get("tp")
            if not op.get("chained") or tp not in self.drained or self.may_be_gone(op):
                continue
            if op.get("value") not in self.places:
                absent.setdefault((op.client, tp), op)
            elif before := absent.pop((op.client, tp), None):
                yield before, op

    def _poll(self, op):
        if op.type != "ok":
            return
        self.ownership.read(op)
        committed_only = op.get("isolation", "read_committed") == "read_committed"
        positions = self._positions[op.client]
        in_this_poll = set()
        for tp, offset, value in op.records():
            self._read(op, tp, offset, value, committed_only)
            internal = tp in in_this_poll
            in_this_poll.add(tp)
            position = positions.get(tp)
            if position is not None and offset < position:
                kind = "internal-nonmonotonic-poll" if internal else "nonmonotonic-poll"
                self._report.add(kind, tp, f"{op.client} got {offset} with its position at {position}", op.ended)
            elif position is not None and offset > position:
                self.skips.append(Jump(op.client, tp, position, offset, op.ended, internal))
            begin = offset if position is None else min(position, offset)
            self._spans[tp].append((begin, offset + 1))
            positions[tp] = offset + 1
        for mark in ("hw", "lso"):
            for tp, offset in (op.get(mark) or {}).items():
                self._mark(op, tp, mark, offset)

    def _read(self, op, tp, offset, value, committed_only):
        self.reads[value].append((tp, offset, op.ended, committed_only))
        self.places[value].setdefault((tp, offset), op.ended)
        self.values_at[(tp, offset)].setdefault(value, op.ended)
        if op.get("txn") is not None:
            self.txn_reads.append((op.get("txn"), value, op.ended))
        for mark in ("hw", "lso") if committed_only else ("hw",):
            limit = (op.get(mark) or {}).get(tp)
            if limit is not None and offset >= limit:
                self._report.add("read-above-watermark", tp, f"{value!r} at {offset} with {mark} at {limit}", op.ended)

    def _mark(self, op, tp, mark, offset):
        floor = self._marks.floor((tp, mark), op.invoked)
        if floor is not None and offset < floor:
            self._report.add("watermark-back", tp, f"{mark} is {offset} after {floor}", op.ended)
        self._marks.add((tp, mark), op.ended, offset)

    def _watermark(self, op):
        if op.type != "ok":
            return
        tp = op.get("tp")
        for mark in ("hw", "lso"):
            if op.get(mark) is not None:
                self._mark(op, tp, mark, op.get(mark))
        self.log_start[tp] = max(self.log_start[tp], op.get("start") or 0)

    def _assign(self, op):
        if op.type == "ok":
            self._positions[op.client] = dict(op.get("positions"))

    def _seek(self, op):
        if op.type == "ok":
            self._positions[op.client].update(op.get("positions"))

    def _drain(self, op):
        if op.type == "ok":
            for tp, end in op.get("offsets").items():
                self.drained[tp] = max(end, self.drained.get(tp, 0))

    def _end(self, op):
        txn = op.get("txn")
        outcome = op.get("outcome")
        if outcome not in ("commit", "abort"):
            raise HistoryError(f"line {op.ended}: outcome {outcome!r}")
        if op.type == "ok":
            if self.outcomes.get(txn) not in (None, "unknown", outcome):
                raise HistoryError(f"line {op.ended}: {txn} ends both ways")
            self.outcomes[txn] = outcome
        else:
            self.outcomes.setdefault(txn, "unknown")

    def _commit(self, op):
        for tp, offset in op.get("offsets").items():
            self._commits[(op.get("group"), tp)].append((op.invoked, op.ended, op.type, offset))

    def _commit_asked(self, op):
        for tp, offset in op.get("offsets").items():
            position = self._positions[op.client].get(tp)
            if position is not None and offset > position:
                self.commits_ahead.append(Jump(op.client, tp, position, offset, op.invoked))

    def _resume(self, op):
        if op.type != "ok":
            return
        self._resumes.append(op)
        if op.get("offset") >= 0:
            self._positions[op.client][op.get("tp")] = op.get("offset")

    def _own(self, op):
        if op.type == "ok":
            self.ownership.own(op)
            positions = self._positions[op.client]
            self._positions[op.client] = {tp: positions.get(tp) for tp in op.get("tps")}

    def _revoke(self, op):
        if op.type == "ok":
            self.ownership.revoke(op)
            for tp in op.get("tps"):
                self._positions[op.client].pop(tp, None)

    def _lost(self, op):
        if op.type == "ok":
            self.ownership.lose(op)
            for tp in op.get("tps"):
                self._positions[op.client].pop(tp, None)

    def _describe(self, op):
        if op.type == "ok":
            self.ownership.describe(op)

    def _check_resumes(self):
        for op in self._resumes:
            tp, offset = op.get("tp"), op.get("offset")
            tried = [c for c in self._commits[(op.get("group"), tp)] if c[0] < op.ended and c[2] != "fail"]
            acked = [c for c in tried if c[2] == "ok" and c[1] < op.invoked]
            if offset > max((c[3] for c in tried), default=offset):
                self._report.add("commit-ahead", tp,
                                 f"group {op.get('group')} resumed at {offset}, which nobody committed", op.ended)
            if not acked:
                continue
            # A commit that may have taken effect behind the last acknowledged one allows its own offset.
            last = max(acked, key=lambda commit: commit[1])
            allowed = min(c[3] for c in tried if c is last or c[1] >= last[0])
            if offset < allowed:
                self._report.add("stale-commit", tp,
                                 f"group {op.get('group')} resumed at {offset}, below the {allowed} it had committed",
                                 last[1], op.ended)

    def _merge_spans(self):
        for tp, spans in self._spans.items():
            merged = []
            for begin, end in sorted(spans):
                if merged and begin <= merged[-1][1]:
                    merged[-1][1] = max(end, merged[-1][1])
                else:
                    merged.append([begin, end])
            self._spans[tp] = [tuple(span) for span in merged]
