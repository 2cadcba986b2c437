"""What a history tells of how a group counted its generations."""


def began_anew(ops, group, lines):
    """Whether between two lines of the history (their numbers) somebody told a generation of the group below one
    that had been told before, and not above the one that both lines tell: it was counted from the beginning."""
    if len(lines) != 2:
        return False
    first, last = sorted(lines)
    told = sorted((op.ended, op.get("generation")) for op in ops
                  if op.f == "own" and op.get("group") == group and op.get("generation") is not None)
    highest = max((generation for line, generation in told if line <= first), default=0)
    again = next((generation for line, generation in told if line == last), None)
    if again is None:
        return False
    for line, generation in told:
        if first < line <= last:
            if generation < highest and generation <= again:
                return True
            highest = max(highest, generation)
    return False
