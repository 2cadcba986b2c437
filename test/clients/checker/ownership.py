"""Which group member holds which partition: two owners in one generation, a partition that was taken from
its cooperative owner only to be given back, records read of a partition that was given up."""
from collections import defaultdict


class Ownership:
    def __init__(self, report):
        self._report = report
        self._owners = {}                   # (group, generation, tp) -> (client, line)
        self._held = {}                     # (group, client) -> (generation, set of tps, line)
        self._revoked = defaultdict(dict)   # (group, client) -> {tp: line} since its last generation
        self._given_up = defaultdict(dict)  # client -> {tp: line}

    def own(self, op):
        """All that a member holds in a generation; told once for each."""
        group, generation, tps = op.get("group"), op.get("generation"), set(op.get("tps"))
        key = (group, op.client)
        owner = op.get("instance") or op.client  # a static member comes back as another process
        for tp in sorted(tps):
            other, line = self._owners.setdefault((group, generation, tp), (owner, op.ended))
            if other != owner:
                self._report.add("two-owners", tp,
                                 f"{other} and {owner} own it in generation {generation} of {group}", line, op.ended)
            self._given_up[op.client].pop(tp, None)
        before = self._held.get(key)
        if before is not None and op.get("cooperative"):
            for tp in sorted(before[1] & tps & self._revoked[key].keys()):
                self._report.add("needless-revocation", tp,
                                 f"{op.client} had it in generation {before[0]} of {group}, gave it up and got it back "
                                 f"in {generation}", before[2], self._revoked[key][tp], op.ended)
        for tp in (before[1] if before is not None else set()) - tps:
            self._given_up[op.client].setdefault(tp, op.ended)
        self._revoked[key].clear()
        self._held[key] = (generation, tps, op.ended)

    def revoke(self, op):
        for tp in op.get("tps"):
            self._revoked[(op.get("group"), op.client)][tp] = op.ended
            self._given_up[op.client][tp] = op.ended

    def lose(self, op):
        """The member was thrown out: what it held is another's, whatever it holds next is new to it."""
        self._held.pop((op.get("group"), op.client), None)
        for tp in op.get("tps"):
            self._given_up[op.client][tp] = op.ended

    def read(self, op):
        for tp in sorted({record[0] for record in op.records()} & self._given_up[op.client].keys()):
            self._report.add("read-unowned", tp, f"{op.client} read it after it had given it up",
                             self._given_up[op.client][tp], op.ended)

    def describe(self, op):
        """What the coordinator says at one moment: {member: [tp, ...]}."""
        holders = {}
        for member, tps in sorted(op.get("assignments").items()):
            for tp in tps:
                other = holders.setdefault(tp, member)
                if other != member:
                    self._report.add("two-owners", tp, f"{op.get('group')} gave it to {other} and {member}", op.ended)
