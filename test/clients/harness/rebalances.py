"""How long rebalances took, by the server's own log: one line an end, with the group and the time."""
import re
from datetime import datetime

# The end of a session that begins a rebalance is logged in the same moment; one later than this was waited for.
_SAME_MOMENT_S = 0.05

_SESSION_END = re.compile(r'^(\S+) .*event=group_member_removed group="([^"]*)".*'
                          r'why="(?:session timeout|its session expired)" member="([^"]*)"')
_LINE = re.compile(r'^(\S+) .*event=group_rebalanced group="([^"]*)" members=(\d+) milliseconds=(\d+)')


def parse(lines):
    """[(group, begin, end)] in seconds since 1970."""
    found = []
    for line in lines:
        if match := _LINE.match(line):
            end = datetime.fromisoformat(match[1]).timestamp()
            found.append((match[2], end - int(match[4]) / 1000, end))
    return found


def session_ends(lines):
    """[(group, when)] of the members that were thrown out because they sent nothing any more."""
    found = [_SESSION_END.match(line) for line in lines]
    return [(match[2], datetime.fromisoformat(match[1]).timestamp()) for match in found if match]


def split(rebalances, absences, ended):
    """(those that waited for nobody, those during which a member was stopped or killed and still counted,
    those that waited for the session of another one to end), in milliseconds, ascending. `absences` are
    (group, begin, end), `ended` as session_ends() has them. A client whose connection broke may come back
    under another member id, or leave without being heard: what it was before is waited for as for the dead."""
    free, beside, silent = [], [], []
    for group, begin, end in rebalances:
        if any(g == group and b < end and begin < e for g, b, e in absences):
            kind = beside
        elif any(g == group and begin + _SAME_MOMENT_S < when <= end for g, when in ended):
            kind = silent
        else:
            kind = free
        kind.append((end - begin) * 1000)
    return sorted(free), sorted(beside), sorted(silent)


def percentile(ascending, q):
    return ascending[min(len(ascending) - 1, int(q * len(ascending)))] if ascending else 0.0


def describe(name, ascending):
    if not ascending:
        return f"{name}: none"
    p50, p99 = percentile(ascending, 0.5), percentile(ascending, 0.99)
    return f"{name}: {len(ascending)}, p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {ascending[-1]:.0f} ms"
