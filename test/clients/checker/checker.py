"""The verdicts. One pass gathers what was written and read, then each class of violation is a function
of that. A rule that runs through all of them: what is `unknown` may have happened or not, never twice."""
from collections import defaultdict

from .facts import Facts
from .graph import circles
from .report import Report


def check(ops):
    report = Report()
    facts = Facts(ops, report)
    for verdict in (_values_at_offsets, _reads_of_nothing, _missing, _gaps, _skips, _commits, _circles):
        verdict(facts, report)
    report.violations.sort(key=lambda violation: violation.lines)
    return report


def _values_at_offsets(facts, report):
    """duplicate, inconsistent-offset"""
    for value, places in facts.places.items():
        if len(places) < 2:
            continue
        send = facts.sends.get(value)
        if send is not None and not send.get("idempotent", True) and send.get("txn") is None:
            report.counts["legal duplicates"] += 1
            continue
        where = ", ".join(f"{tp}@{offset}" for tp, offset in sorted(places))
        report.add("duplicate", min(places)[0], f"{value!r} is at {where}", *places.values())
    for (tp, offset), values in facts.values_at.items():
        if len(values) > 1:
            names = ", ".join(map(repr, sorted(values, key=str)))
            report.add("inconsistent-offset", tp, f"offset {offset} holds {names}", *values.values())


def _reads_of_nothing(facts, report):
    """unwritten-read, aborted-read"""
    for value, reads in facts.reads.items():
        send = facts.sends.get(value)
        tp, offset, line, _ = reads[0]
        if send is None:
            report.add("unwritten-read", tp, f"nobody sent {value!r}, read at {offset}", line)
        elif send.type == "fail":
            report.add("aborted-read", tp, f"the send of {value!r} failed, yet it is at {offset}", send.ended, line)
        elif facts.outcome(send) == "abort":
            for tp, offset, line, committed_only in reads:
                if committed_only:
                    report.add("aborted-read", tp, f"{value!r} at {offset} belongs to aborted {send.get('txn')}", line)


def _missing(facts, report):
    """lost-write, unseen, torn-transaction"""
    read_txns = {send.get("txn") for value, send in facts.sends.items() if value in facts.reads}
    read_txns.discard(None)
    for value, send in facts.sends.items():
        if send.type != "ok" or value in facts.reads or facts.may_be_gone(send):
            continue
        txn = send.get("txn")
        if facts.outcome(send) != "commit":
            continue
        tp, offset = send.get("tp"), facts.offset_of(send)
        passed = offset is not None and facts.covered(tp, offset)
        drained = tp in facts.drained
        if not passed and not drained:
            report.counts["acknowledged, nobody looked"] += 1
            continue
        if txn in read_txns:
            kind, why = "torn-transaction", f"other records of {txn} were read"
        elif passed:
            kind, why = "lost-write", "a reader went over it"
        else:
            kind, why = "unseen", "the partition was drained"
        report.add(kind, tp, f"{value!r}, acknowledged at {offset}, was never read; {why}", send.ended)


def _gaps(facts, report):
    """send-gap: an idempotent sender that stops at its first lost record went on without one."""
    for absent, later in facts.send_gaps():
        report.add("send-gap", later.get("tp"),
                   f"{later.get('value')!r} is there, {absent.get('value')!r}, sent before it, is not", later.ended)


def _skips(facts, report):
    """poll-skip, internal-poll-skip: only over what is known to be there for this reader."""
    for skip in facts.skips:
        for offset, value in facts.seen_between(skip.tp, skip.begin, skip.end):
            send = facts.sends.get(value)
            hidden = send is not None and facts.outcome(send) != "commit"
            if hidden or value not in facts.reads or offset < facts.log_start[skip.tp]:
                continue
            kind = "internal-poll-skip" if skip.internal else "poll-skip"
            report.add(kind, skip.tp,
                       f"{skip.client} went from {skip.begin} to {skip.end}, over {value!r} at {offset}", skip.line)
            break


def _commits(facts, report):
    """commit-ahead: a commit that passes over records the committer never had."""
    for ahead in facts.commits_ahead:
        passed = [value for _, value in facts.seen_between(ahead.tp, ahead.begin, ahead.end)
                  if value not in facts.sends or facts.outcome(facts.sends[value]) == "commit"]
        if passed:
            report.add("commit-ahead", ahead.tp,
                       f"{ahead.client} committed {ahead.end} with its position at {ahead.begin}: {passed[0]!r} is between",
                       ahead.line)


def _circles(facts, report):
    """g1c; and g0, which is counted only"""
    reads_from = defaultdict(set)
    for reader, value, _ in facts.txn_reads:
        writer = facts.sends.get(value)
        if writer is None or writer.get("txn") in (None, reader):
            continue
        if facts.outcome(writer) == "abort" or facts.outcomes.get(reader) == "abort":
            continue
        reads_from[writer.get("txn")].add(reader)
    for members in circles(reads_from):
        lines = [line for reader, value, line in facts.txn_reads
                 if reader in members and value in facts.sends and facts.sends[value].get("txn") in members]
        report.add("g1c", "", f"{', '.join(members)} read from each other", *lines)
    writes = defaultdict(set)
    for tp in facts.partitions():
        last = None
        for _, value in facts.seen_between(tp, 0, None):
            send = facts.sends.get(value)
            txn = send.get("txn") if send is not None else None
            if txn is not None and last is not None and txn != last:
                writes[last].add(txn)
            last = txn if txn is not None else last
    report.counts["g0 (legal)"] = len(circles(writes))
