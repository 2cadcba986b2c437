"""Which group member holds which partition: two owners in one generation, a partition that was taken from
its cooperative owner only to be given back, records read of a partition that was given up."""
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Held:
    """What one member told about what it holds."""
    generation: int | None = None
    tps: set = field(default_factory=set)
    before: set = field(default_factory=set)     # held in the generation before
    revoked: dict = field(default_factory=dict)  # tp -> line, since `before` was told
    fresh: dict = field(default_factory=dict)    # tp -> line, since anything was told

    def tell(self, generation, tps):
        if generation is None or generation != self.generation:
            self.before, self.revoked = self.tps, {}
        self.revoked.update(self.fresh)
        self.fresh = {}
        self.generation, self.tps = generation, tps


class Ownership:
    def __init__(self, report):
        self._report = report
        self._owners = {}                   # (group, generation, tp) -> (owner, line)
        self._held = defaultdict(Held)      # (group, client) ->
        self._given_up = defaultdict(dict)  # client -> {tp: line}

    def own(self, op):
        """All that a member holds in a generation (null: its client does not tell it). A member may tell
        it more than once in a generation."""
        group, generation, tps = op.get("group"), op.get("generation"), set(op.get("tps"))
        if generation is not None:
            self._one_owner(op, group, generation, tps)
        held = self._held[(group, op.client)]
        given_up = self._given_up[op.client]
        for tp in held.tps - tps:
            given_up.setdefault(tp, op.ended)
        for tp in tps:
            given_up.pop(tp, None)
        held.tell(generation, tps)
        if op.get("cooperative"):
            for tp in sorted(held.before & tps & held.revoked.keys()):
                self._report.add("needless-revocation", tp,
                                 f"{op.client} held it, gave it up and got it back in the next generation of {group}, "
                                 f"{generation}", held.revoked[tp], op.ended)

    def _one_owner(self, op, group, generation, tps):
        owner = op.get("instance") or op.client  # a static member comes back as another process
        for tp in sorted(tps):
            other, line = self._owners.setdefault((group, generation, tp), (owner, op.ended))
            if other != owner:
                self._report.add("two-owners", tp,
                                 f"{other} and {owner} own it in generation {generation} of {group}", line, op.ended)

    def revoke(self, op):
        for tp in op.get("tps"):
            self._held[(op.get("group"), op.client)].fresh[tp] = op.ended
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
