"""How long rebalances took, by the server's own log: one line an end, with the group and the time."""
import re
from datetime import datetime

_LINE = re.compile(r'^(\S+) .*event=group_rebalanced group="([^"]*)" members=(\d+) milliseconds=(\d+)')


def parse(lines):
    """[(group, begin, end)] in seconds since 1970."""
    found = []
    for line in lines:
        if match := _LINE.match(line):
            end = datetime.fromisoformat(match[1]).timestamp()
            found.append((match[2], end - int(match[4]) / 1000, end))
    return found


def split(rebalances, absences):
    """(those that waited for nobody, those during which a member was stopped or killed and still counted),
    in milliseconds, ascending. `absences` are (group, begin, end)."""
    free, waited = [], []
    for group, begin, end in rebalances:
        late = any(g == group and b < end and begin < e for g, b, e in absences)
        (waited if late else free).append((end - begin) * 1000)
    return sorted(free), sorted(waited)


def percentile(ascending, q):
    return ascending[min(len(ascending) - 1, int(q * len(ascending)))] if ascending else 0.0


def describe(name, ascending):
    if not ascending:
        return f"{name}: none"
    p50, p99 = percentile(ascending, 0.5), percentile(ascending, 0.99)
    return f"{name}: {len(ascending)}, p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {ascending[-1]:.0f} ms"
