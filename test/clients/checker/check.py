#!/usr/bin/env python3
"""Checks a history: exit status 0 when it is clean, 1 when not, 2 when it cannot be read."""
import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from checker.checker import check  # noqa: E402  (the package is found by the line above)
from checker.history import HistoryError, merge, parse  # noqa: E402


def main(arguments=None, out=sys.stdout):
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("history", nargs="+", help="JSON lines, or - for standard input; several are "
                         "merged by their time stamps")
    options.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options.add_argument("--limit", type=int, default=20, help="violations to show")
    chosen = options.parse_args(arguments)
    try:
        if chosen.history == ["-"]:
            report = check(parse(sys.stdin))
        elif len(chosen.history) > 1:
            report = check(parse(merge(chosen.history)))
        else:
            with open(chosen.history[0], encoding="utf-8") as lines:
                report = check(parse(lines))
    except (HistoryError, OSError) as error:
        print(f"tidegate-check: {error}", file=sys.stderr)
        return 2
    shown = report.violations[:chosen.limit]
    if chosen.json:
        listed = [{"kind": v.kind, "tp": v.tp, "message": v.message, "lines": v.lines} for v in shown]
        print(json.dumps({**report.as_dict(), "shown": listed}), file=out)
    else:
        for violation in shown:
            where = ", ".join(map(str, violation.lines))
            print(f"{violation.kind} {violation.tp}: {violation.message} (lines {where})", file=out)
        left = len(report.violations) - len(shown)
        if left:
            print(f"... and {left} more", file=out)
        sums = ", ".join(f"{name} {count}" for name, count in sorted(report.counts.items()))
        print(f"{len(report.violations)} violations in: {sums}", file=out)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
