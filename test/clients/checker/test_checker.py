"""The checker's own tests: every violation class, seeded into good histories, is caught every time; good
histories give nothing. Run: cd test/clients && python3 -m unittest checker.test_checker"""
import functools
import io
import json
import random
import sys
import tempfile
import unittest
from pathlib import Path

from . import check as command
from .checker import check
from .graph import circles
from .history import HistoryError, Recorder, merge, parse
from .mutations import MUTATIONS
from .report import KINDS
from .simulation import Simulation

GOOD_HISTORIES = 60
MUTANTS = 25


@functools.cache
def good_history(seed):
    return json.dumps(Simulation(seed).lines)


def verdict(lines):
    return check(parse(json.dumps(line) for line in lines))


def history(*entries):
    """Numbers operations; an entry without a type is told as ok."""
    lines = []
    for number, entry in enumerate(entries):
        lines.append({"client": "c", "op": number, "type": "ok", **entry})
    return lines


def send(value, offset, **more):
    return {"f": "send", "tp": "t-0", "value": value, "offset": offset, "client": "p", **more}


def poll(*records, **more):
    return {"f": "poll", "records": [["t-0", offset, value] for offset, value in records], **more}


START = {"f": "assign", "positions": {"t-0": 0}}


class GoodHistories(unittest.TestCase):
    def test_give_nothing(self):
        polled = 0
        for seed in range(GOOD_HISTORIES):
            report = verdict(json.loads(good_history(seed)))
            self.assertEqual([], report.violations, f"seed {seed}")
            polled += report.counts["poll ok"]
        self.assertGreater(polled, 1000)


class Mutants(unittest.TestCase):
    def test_every_kind_has_a_mutation(self):
        self.assertEqual(set(KINDS), {kind for kind, _ in MUTATIONS})

    def test_are_caught_every_time(self):
        for kind, mutate in MUTATIONS:
            with self.subTest(mutate.__name__):
                caught = 0
                for seed in range(3 * MUTANTS):
                    lines = json.loads(good_history(seed))
                    if not mutate(lines, random.Random(seed)):
                        continue
                    self.assertIn(kind, verdict(lines).kinds(), f"seed {seed}")
                    caught += 1
                    if caught == MUTANTS:
                        break
                self.assertEqual(MUTANTS, caught, "too few histories offered a place")

    def test_swapped_sends_are_nothing_else(self):
        swap = dict((mutate.__name__, mutate) for _, mutate in MUTATIONS)["nonmonotonic_send"]
        for seed in range(10):
            lines = json.loads(good_history(seed))
            self.assertTrue(swap(lines, random.Random(seed)))
            self.assertEqual({"nonmonotonic-send"}, verdict(lines).kinds(), f"seed {seed}")


class Rules(unittest.TestCase):
    def assert_kinds(self, lines, *kinds):
        report = verdict(lines)
        self.assertEqual(set(kinds), report.kinds(), report.violations)

    def test_unknown_may_be_there_or_not_but_not_twice(self):
        there = poll((0, "a"), (1, "b"))
        self.assert_kinds(history(START, send("a", 0), send("b", None, type="unknown"), there))
        self.assert_kinds(history(START, send("a", 0), send("b", None, type="unknown"), poll((0, "a"))))
        self.assert_kinds(history(START, send("b", None, type="unknown"), poll((0, "b"), (1, "b"))), "duplicate")

    def test_an_invoke_without_an_end_is_unknown(self):
        self.assert_kinds(history(START, send("a", None, type="invoke"), poll((0, "a"))))

    def test_a_duplicate_without_idempotence_is_only_counted(self):
        lines = history(START, send("a", 1, idempotent=False), poll((0, "a"), (1, "a")))
        self.assert_kinds(lines)
        self.assertEqual(1, verdict(lines).counts["legal duplicates"])

    def test_acknowledged_elsewhere_than_read(self):
        self.assert_kinds(history(START, send("a", 5), poll((0, "a"))), "duplicate")

    def test_what_nobody_looked_for_is_not_lost(self):
        lines = history({"f": "assign", "positions": {"t-0": 5}}, send("a", 2), send("b", 5), poll((5, "b")))
        self.assert_kinds(lines)
        self.assertEqual(1, verdict(lines).counts["acknowledged, nobody looked"])

    def test_what_was_deleted_is_not_lost(self):
        lines = history(START, send("a", 0), send("b", 1), {"f": "watermark", "tp": "t-0", "start": 1}, poll((1, "b")))
        self.assert_kinds(lines)
        self.assert_kinds(lines[:3] + lines[4:], "lost-write")

    def test_drained_means_all_of_it(self):
        drained = {"f": "drain", "offsets": {"t-0": 1}}
        self.assert_kinds(history(START, send("a", 0), send("b", 1), poll((0, "a")), drained), "unseen")
        self.assert_kinds(history(START, send("a", -1), drained), "unseen")

    def test_uncommitted_readers_may_see_aborted_records(self):
        written = [START, send("a", 0, txn="x"), {"f": "end", "txn": "x", "outcome": "abort"}]
        self.assert_kinds(history(*written, poll((0, "a"), isolation="read_uncommitted")))
        self.assert_kinds(history(*written, poll((0, "a"))), "aborted-read")

    def test_a_transaction_that_ended_unknown_is_whole_or_not_at_all(self):
        written = [START, send("a", 0, txn="x"), send("b", 1, txn="x"), send("c", 3),
                   {"f": "end", "txn": "x", "outcome": "commit", "type": "unknown"}]
        self.assert_kinds(history(*written, poll((0, "a"), (1, "b"), (3, "c"))))
        self.assert_kinds(history(*written, poll((3, "c"))))
        self.assert_kinds(history(*written, poll((0, "a"), (3, "c"))), "torn-transaction")
        # Seen by a read_committed reader, it is committed: no other may jump over it.
        other = [{**START, "client": "d"}, poll((0, "a"), (3, "c"), client="d")]
        self.assert_kinds(history(*written, poll((0, "a"), (1, "b"), (3, "c")), *other), "internal-poll-skip")

    def test_seek_and_assign_move_a_reader(self):
        back = {"f": "seek", "positions": {"t-0": 0}}
        sent = [send("a", 0), send("b", 1)]
        read = poll((0, "a"), (1, "b"))
        self.assert_kinds(history(START, *sent, read, back, read, START, read))
        self.assert_kinds(history(START, *sent, read, read), "nonmonotonic-poll")

    def test_a_gap_where_nothing_is_known_is_no_skip(self):
        self.assert_kinds(history(START, send("a", 0), send("b", 7), poll((0, "a"), (7, "b"))))

    def test_sends_of_others_that_ended_before_bind_too(self):
        self.assert_kinds(history(send("a", 5), send("b", 3, client="q")), "nonmonotonic-send")
        overlapping = [{**send("b", None), "client": "q", "op": 1, "type": "invoke"},
                       {**send("a", 5), "op": 2, "type": "ok"},
                       {**send("b", 3), "client": "q", "op": 1, "type": "ok"}]
        self.assert_kinds(overlapping)

    def test_watermarks_seen_at_the_same_time_may_cross(self):
        crossing = [{"client": "a", "op": 1, "type": "invoke", "f": "watermark", "tp": "t-0"},
                    {"client": "b", "op": 1, "type": "ok", "f": "watermark", "tp": "t-0", "hw": 9},
                    {"client": "a", "op": 1, "type": "ok", "f": "watermark", "tp": "t-0", "hw": 7}]
        self.assert_kinds(crossing)
        self.assert_kinds(crossing[1:], "watermark-back")

    def test_commits_under_way_allow_their_own_offset(self):
        commit = {"f": "commit", "group": "g"}
        resume = {"f": "resume", "group": "g", "tp": "t-0"}
        nine = {**commit, "offsets": {"t-0": 9}}
        unknown_four = {**commit, "offsets": {"t-0": 4}, "type": "invoke"}
        self.assert_kinds(history(nine, {**resume, "offset": 4}), "stale-commit")
        self.assert_kinds(history(nine, {**resume, "offset": -1}), "stale-commit")
        self.assert_kinds(history(nine, unknown_four, {**resume, "offset": 4}))
        self.assert_kinds(history(nine, {**resume, "offset": 10}), "commit-ahead")
        self.assert_kinds(history(nine, {**resume, "offset": 9}))

    def test_a_commit_over_markers_is_not_ahead(self):
        read = [START, send("a", 0), poll((0, "a"))]
        commit = {"f": "commit", "group": "g", "offsets": {"t-0": 2}}
        self.assert_kinds(history(*read, commit))
        self.assert_kinds(history(*read, send("b", 1), commit), "commit-ahead")

    def test_a_commit_is_judged_by_what_was_read_when_it_was_asked(self):
        never_answered = {"f": "commit", "group": "g", "offsets": {"t-0": 2}, "type": "invoke"}
        read = [START, send("a", 0), send("b", 1), poll((0, "a"), (1, "b"))]
        back = [START, poll((0, "a"))]
        self.assert_kinds(history(*read, never_answered, *back))
        self.assert_kinds(history(*read, *back, never_answered), "commit-ahead")

    def test_circles_of_writes_alone_are_legal(self):
        lines = history(
            send("a1", 0, txn="x"), send("b1", 1, txn="y"),
            send("b2", 0, txn="y", tp="t-1"), send("a2", 1, txn="x", tp="t-1"),
            {"f": "end", "txn": "x", "outcome": "commit"}, {"f": "end", "txn": "y", "outcome": "commit"})
        self.assert_kinds(lines)
        self.assertEqual(1, verdict(lines).counts["g0 (legal)"])

    def test_circles_through_an_aborted_transaction_do_not_count(self):
        reads = [poll((0, "a"), txn="y", client="r1", isolation="read_uncommitted"),
                 poll((1, "b"), txn="x", client="r2", isolation="read_uncommitted")]
        written = [send("a", 0, txn="x"), send("b", 1, txn="y"), {"f": "end", "txn": "x", "outcome": "commit"}]
        self.assert_kinds(history(*written, {"f": "end", "txn": "y", "outcome": "commit"}, *reads), "g1c")
        self.assert_kinds(history(*written, {"f": "end", "txn": "y", "outcome": "abort"}, *reads))


class Groups(unittest.TestCase):
    def own(self, client, generation, *tps, **more):
        return {"f": "own", "client": client, "group": "g", "generation": generation, "tps": list(tps), **more}

    def revoke(self, client, *tps, f="revoke"):
        return {"f": f, "client": client, "group": "g", "tps": list(tps)}

    def kinds(self, *entries):
        return verdict(history(*entries)).kinds()

    def test_one_owner_a_generation(self):
        self.assertEqual(set(), self.kinds(self.own("a", 1, "t-0"), self.own("b", 2, "t-0")))
        self.assertEqual({"two-owners"}, self.kinds(self.own("a", 1, "t-0"), self.own("b", 1, "t-0")))

    def test_a_static_member_comes_back_as_another_process(self):
        self.assertEqual(set(), self.kinds(self.own("a", 1, "t-0", instance="i"), self.own("b", 1, "t-0", instance="i")))

    def test_a_cooperative_member_keeps_what_it_keeps(self):
        one, two = (self.own("a", n, "t-0", cooperative=True) for n in (1, 2))
        self.assertEqual(set(), self.kinds(one, two))
        self.assertEqual({"needless-revocation"}, self.kinds(one, self.revoke("a", "t-0"), two))
        twice = self.own("a", 2, cooperative=True)  # told by its revocation callback, and again
        self.assertEqual({"needless-revocation"}, self.kinds(one, self.revoke("a", "t-0"), twice, two))
        between = self.own("a", 2, cooperative=True)  # it was really without it for a generation
        self.assertEqual(set(), self.kinds(one, self.revoke("a", "t-0"), between,
                                           self.own("a", 3, "t-0", cooperative=True)))
        self.assertEqual(set(), self.kinds(one, self.revoke("a", "t-0", f="lost"), two))

    def test_an_eager_member_gives_up_everything(self):
        self.assertEqual(set(), self.kinds(self.own("a", 1, "t-0"), self.revoke("a", "t-0"), self.own("a", 2, "t-0")))

    def test_what_was_given_up_is_not_read(self):
        read = poll((0, "x"), client="a")
        start = [send("x", 0), self.own("a", 1, "t-0"), {**START, "client": "a"}]
        self.assertEqual(set(), self.kinds(*start, read))
        for f in ("revoke", "lost"):
            self.assertEqual({"read-unowned"}, self.kinds(*start, self.revoke("a", "t-0", f=f), read))
        self.assertEqual({"read-unowned"}, self.kinds(*start, self.own("a", 2), read))
        self.assertEqual(set(), self.kinds(*start, self.revoke("a", "t-0"), self.own("a", 2, "t-0"), read))

    def test_what_the_coordinator_says_has_one_owner_each(self):
        for twice in (["t-1"], ["t-0"]):
            said = {"f": "describe", "group": "g", "assignments": {"m1": ["t-0"], "m2": twice}}
            self.assertEqual({"two-owners"} if twice == ["t-0"] else set(), self.kinds(said))


class Chains(unittest.TestCase):
    DRAIN = {"f": "drain", "offsets": {"t-0": 2}}

    def kinds(self, *entries):
        return verdict(history(START, *entries, self.DRAIN)).kinds()

    def test_nothing_follows_a_lost_record(self):
        lost = send("b", None, type="unknown", chained=True)
        later = send("c", 1, chained=True)
        self.assertEqual({"send-gap"}, self.kinds(send("a", 0, chained=True), lost, later, poll((0, "a"), (1, "c"))))
        self.assertEqual(set(), self.kinds(send("a", 0, chained=True), lost, poll((0, "a"))))
        self.assertEqual(set(), self.kinds(send("a", 0), {**lost, "chained": False}, later, poll((0, "a"), (1, "c"))))

    def test_records_of_unknown_outcome_are_in_order_too(self):
        unknown = send("a", None, type="unknown")
        self.assertEqual({"nonmonotonic-send"}, self.kinds(unknown, send("b", 0), poll((0, "b"), (1, "a"))))
        self.assertEqual(set(), self.kinds(unknown, send("b", 1), poll((0, "a"), (1, "b"))))


class Merge(unittest.TestCase):
    def merged(self, *texts):
        with tempfile.TemporaryDirectory() as directory:
            paths = [Path(directory) / str(n) for n in range(len(texts))]
            for path, text in zip(paths, texts):
                path.write_text(text)
            return [json.loads(line)["t"] for line in merge(paths)]

    def test_lines_of_all_files_come_in_the_order_of_their_stamps(self):
        self.assertEqual([1, 2, 3, 4], self.merged('{"t":1}\n{"t":4}\n', '{"t":2}\n\n{"t":3}\n'))

    def test_a_line_cut_off_by_a_kill_is_left_out(self):
        self.assertEqual([1], self.merged('{"t":1}\n{"t":4', ''))

    def test_lines_without_order_are_refused(self):
        for text in ('{"t":2}\n{"t":1}\n', '{"x":1}\n', 'nonsense\n'):
            with self.assertRaises(HistoryError):
                self.merged(text)

    def test_stamped_recorder(self):
        out = io.StringIO()
        recorder = Recorder(out, stamped=True)
        recorder.ok(recorder.invoke("p", "send", tp="t-0", value="a"), offset=0)
        recorder.note("c", "poll", records=[])
        stamps = self.merged(out.getvalue())
        self.assertEqual(sorted(stamps), stamps)
        self.assertEqual(3, len(stamps))


class Format(unittest.TestCase):
    def test_broken_histories_are_refused(self):
        good = {"client": "c", "op": 1, "type": "ok", "f": "send", "tp": "t-0", "value": "a", "offset": 0}
        broken = {
            "not JSON": ["{"],
            "not an object": ["[]"],
            "unknown type": [json.dumps({**good, "type": "maybe"})],
            "unknown f": [json.dumps({**good, "f": "dance"})],
            "missing field": [json.dumps({"client": "c", "op": 1, "type": "ok", "f": "send", "tp": "t-0"})],
            "missing client": [json.dumps({"op": 1, "type": "ok", "f": "poll"})],
            "ends twice": [json.dumps(good), json.dumps(good)],
            "invoked twice": [json.dumps({**good, "type": "invoke"})] * 2,
            "changes its kind": [json.dumps({**good, "type": "invoke"}), json.dumps({**good, "f": "poll"})],
            "value twice": [json.dumps(good), json.dumps({**good, "op": 2})],
            "bad outcome": [json.dumps({"client": "c", "op": 1, "type": "ok", "f": "end", "txn": "x", "outcome": "?"})],
            "both outcomes": [json.dumps({"client": "c", "op": n, "type": "ok", "f": "end", "txn": "x", "outcome": o})
                              for n, o in enumerate(("commit", "abort"))],
        }
        for what, lines in broken.items():
            with self.subTest(what), self.assertRaises(HistoryError):
                check(parse(lines))

    def test_blank_lines_and_single_record_polls(self):
        line = {"client": "c", "op": 1, "type": "ok", "f": "poll", "tp": "t-0", "offset": 3, "value": "a"}
        ops = parse(["", json.dumps(line), "\n"])
        self.assertEqual([("t-0", 3, "a")], ops[0].records())

    def test_recorder_writes_what_the_checker_reads(self):
        out = io.StringIO()
        recorder = Recorder(out)
        op = recorder.invoke("p", "send", tp="t-0", value="a")
        lost = recorder.invoke("p", "send", tp="t-0", value="b")
        recorder.note("c", "assign", positions={"t-0": 0})
        recorder.ok(op, offset=0)
        recorder.unknown(lost)
        bad = recorder.invoke("p", "send", tp="t-0", value="x")
        recorder.fail(bad)
        recorder.note("c", "poll", records=[["t-0", 0, "a"]])
        ops = parse(out.getvalue().splitlines())
        self.assertEqual(["ok", "ok", "unknown", "fail", "ok"], [op.type for op in ops])
        self.assertEqual([], check(ops).violations)

    def test_circles(self):
        self.assertEqual([], circles({"a": ["b"], "b": ["c"], "c": []}))
        self.assertEqual([], circles({"a": ["a"]}))
        self.assertEqual([["a", "b"], ["c", "d", "e"]],
                         sorted(circles({"a": ["b"], "b": ["a", "c"], "c": ["d"], "d": ["e"], "e": ["c", "f"]})))

    def test_command_tells_by_its_exit_status(self):
        good = history(START, send("a", 0), poll((0, "a")))
        bad = history(START, send("a", 0), send("b", 1), poll((1, "b")))
        for lines, status in ((good, 0), (bad, 1), (["nonsense"], 2)):
            with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
                file.write("\n".join(json.dumps(line) for line in lines))
                file.flush()
                for options in ([], ["--json"]):
                    out = io.StringIO()
                    if status == 2:
                        with self.assertNoLogs():
                            stderr, command.sys.stderr = command.sys.stderr, io.StringIO()
                            try:
                                self.assertEqual(status, command.main([file.name, *options], out))
                            finally:
                                command.sys.stderr = stderr
                    else:
                        self.assertEqual(status, command.main([file.name, *options], out))
                        self.assertEqual(status == 1, "lost-write" in out.getvalue())


if __name__ == "__main__":  # under ctest: each case counts
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
    import unittest_report
    unittest_report.main(__name__)
