"""How long rebalances took, by the server's own log: one line an end, with the group and the time."""
import re
from datetime import datetime

# The end of a session that begins a rebalance is logged in the same moment; one later than this was waited for.
_SAME_MOMENT_S = 0.05
# A session that the harness made end is found to have ended a little later: the machine is busy.
_SLACK_S = 1.0

_SESSION_END = re.compile(r'^(\S+) .*event=group_member_removed group="([^"]*)".*'
                          r'why="(?:session timeout|its session expired)" member="([^"]*)"')
_SUPPRESSED = re.compile(r'^\S+ .*event=group_(?:rebalanced|member_removed) .* suppressed=(\d+)')
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


def suppressed(lines):
    """How many of the lines that are read here the server did not write, because there were too many."""
    return sum(int(match[1]) for line in lines if (match := _SUPPRESSED.match(line)))


def is_explained(group, when, absences, outages):
    """Whether the harness itself had silenced a member whose session ended then: it was stopped or killed, or its
    connection broke because the server was. Any other end of a session may be the coordinator's own fault."""
    return (any(g == group and begin <= when <= end + _SLACK_S for g, begin, end in absences)
            or any(begin <= when <= end + _SLACK_S for begin, end in outages))


def unexplained(ended, absences, outages):
    return [(group, when) for group, when in ended if not is_explained(group, when, absences, outages)]


def split(rebalances, absences, ended, outages=()):
    """(those that waited for nobody, those during which a member was stopped or killed and still counted,
    those that waited for the session of another one to end), in milliseconds, ascending. `absences` are
    (group, begin, end), `ended` as session_ends() has them, `outages` (begin, end): from when the server was killed
    until every session that it knew could have ended. A client whose connection broke may come back
    under another member id, or leave without being heard: what it was before is waited for as for the dead.
    A session that ended without the harness's doing excuses nothing: its rebalance waited for nobody."""
    free, beside, silent = [], [], []
    for group, begin, end in rebalances:
        if any(g == group and b < end and begin < e for g, b, e in absences):
            kind = beside
        elif any(g == group and begin + _SAME_MOMENT_S < when <= end and is_explained(g, when, absences, outages)
                 for g, when in ended):
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
