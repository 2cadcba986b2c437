"""Two stories about cooperative groups that the churn cannot promise to meet, on a server that stays up:
a partition that is kept sees no revocation, and a group goes from range to cooperative-sticky member
by member. Each returns its problems."""
import time

from . import coordinator
from .members import Member

STEP_TIMEOUT_S = 40


class Scene:
    """The members of one group, all of whom are ended by close()."""

    def __init__(self, server, commands, topic, partitions, directory, group):
        self.server, self.commands, self.topic = server, commands, topic
        self.partitions, self.directory, self.group = partitions, directory, group
        self.members, self.everyone = [], []

    def join(self, family, assignor):
        member = Member(f"{self.group}-{family}-{len(self.everyone)}", self.group, family,
                        self.commands[family], self.server.bootstrap, self.topic, self.directory, assignor)
        self.members.append(member)
        self.everyone.append(member)
        return member

    def remove(self, member, kill=False):
        """The problems of its end."""
        self.members.remove(member)
        if kill:
            member.kill()
            return []
        member.ask_to_leave()
        return member.left()

    def settle(self):
        """Waits until the members hold all partitions, evenly; None, or who holds what instead."""
        deadline = time.monotonic() + STEP_TIMEOUT_S
        count = len(self.members)
        want = sorted(self.partitions // count + (n < self.partitions % count) for n in range(count))
        while True:
            held = {m.name: m.holds() or set() for m in self.members}
            whole = set().union(*held.values())
            if sorted(map(len, held.values())) == want and len(whole) == self.partitions:
                return None
            if time.monotonic() > deadline:
                return f"{self.group}: not settled after {STEP_TIMEOUT_S} s: " + ", ".join(
                    f"{name} holds {sorted(tps)}" for name, tps in held.items())
            time.sleep(0.1)

    def close(self):
        for member in self.everyone:
            member.kill()


def _revoked(member, since):
    """(what it was told to give up from line `since` on, lines so far)"""
    lines = member.told()
    return {tp for line in lines[since:] if line["f"] in ("revoke", "lost") for tp in line["tps"]}, len(lines)


def kept_partitions(scene, family):
    """Two join, one dies: whoever stays gives up what moves, and nothing else."""
    problems = []
    steps = [("join", 1), ("join", 2), ("join", 3), ("kill", 2)]
    try:
        for what, count in steps:
            before = {m: (m.holds() or set(), _revoked(m, 0)[1]) for m in scene.members}
            if what == "join":
                scene.join(family, "cooperative-sticky")
            else:
                scene.remove(scene.members[-1], kill=True)
            if problem := scene.settle():
                return [problem]
            for member, (held, line) in before.items():
                if member not in scene.members:
                    continue
                gone, _ = _revoked(member, line)
                moved = held - member.holds()
                if gone != moved:
                    problems.append(f"{member.name}, {what} to {count} members: {sorted(moved)} moved "
                                    f"away, {sorted(gone)} was revoked")
    finally:
        scene.close()
    return problems


def rolling_upgrade(scene, families):
    """All members are replaced one by one: first by such that can do both, then by such that can do
    cooperative-sticky alone."""
    problems = []
    try:
        for family in families:
            scene.join(family, "range")
        if problem := scene.settle():
            return [problem]
        for assignor in ("cooperative-sticky,range", "cooperative-sticky"):
            for old in list(scene.members):
                problems += scene.remove(old)
                scene.join(old.family, assignor)
                if problem := scene.settle():
                    return [*problems, f"{problem} (while {old.name} became {assignor})"]
        said = coordinator.describe(scene.server.bootstrap, scene.group, consumer_protocol=False)
        if said is None or said.assignor != "cooperative-sticky":
            problems.append(f"{scene.group} ends with {said and said.assignor}")
    finally:
        scene.close()
    return problems
