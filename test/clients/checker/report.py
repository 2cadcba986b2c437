"""What the checker says in the end."""
from collections import Counter
from dataclasses import dataclass, field

KINDS = ("lost-write", "unseen", "duplicate", "inconsistent-offset", "unwritten-read", "aborted-read",
         "read-above-watermark", "torn-transaction", "poll-skip", "internal-poll-skip", "nonmonotonic-poll",
         "internal-nonmonotonic-poll", "nonmonotonic-send", "send-gap", "stale-commit", "commit-ahead",
         "two-owners", "needless-revocation", "read-unowned", "watermark-back", "g1c")


@dataclass(slots=True)
class Violation:
    kind: str
    tp: str
    message: str
    lines: tuple = ()


@dataclass
class Report:
    violations: list = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)

    def add(self, kind, tp, message, *lines):
        self.violations.append(Violation(kind, tp, message, tuple(sorted(lines))))

    def kinds(self):
        return {violation.kind for violation in self.violations}

    def as_dict(self):
        by_kind = Counter(violation.kind for violation in self.violations)
        return {"clean": not self.violations, "violations": dict(by_kind), "counts": dict(self.counts)}
