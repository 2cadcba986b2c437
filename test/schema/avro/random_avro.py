"""Random Avro schemas, and encodings of their values made without any Avro library.

The bytes come in every shape that the specification allows: arrays and maps in several blocks, with and
without the size of a block, and numbers in more bytes than they need.
"""
import struct

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
LOGICAL = [("int", "date"), ("int", "time-millis"), ("long", "time-micros"), ("long", "timestamp-millis"),
           ("long", "timestamp-nanos"), ("long", "local-timestamp-micros"), ("string", "uuid"),
           ("bytes", "decimal"), ("string", "of-nobody")]
SPACES = ["", "a", "a.b", "com.example"]
MAX_WEIGHT = 40  # types that a repeated type stands for: repeats of repeats would grow without end


class Schema:
    """`json` is the schema; logical types stand under x-logicalType, so that libraries leave values alone."""

    def __init__(self, rng, depth=4):
        self.rng, self.types, self.weights, self.open, self.number = rng, {}, {}, [], 0
        self.json, weight = self._type(depth, "")
        while weight < 3 and rng.random() < 0.9:  # most that come first are small
            self.types, self.weights = {}, {}
            self.json, weight = self._type(depth, "")

    def encoded(self, depth=5):
        return Encoder(self, self.rng).value(self.json, "", depth)

    # Each returns the type and how many types it stands for.
    def _type(self, depth, space):
        rng = self.rng
        kind = rng.choice(PRIMITIVES + ["logical", "enum", "fixed", "again"] + ["record"] * 3 +
                          ["array", "map", "union", "union"])
        if depth <= 0 and kind in ("record", "array", "map", "union"):
            kind = rng.choice(PRIMITIVES)
        if kind == "again":
            return self._again(space)
        if kind in PRIMITIVES:
            return (kind if rng.random() < 0.8 else {"type": kind}), 1
        if kind == "logical":
            base, logical = rng.choice(LOGICAL)
            return {"type": base, "x-logicalType": logical, "x-precision": 9}, 1
        if kind in ("array", "map"):
            item, weight = self._type(depth - 1, space)
            return {"type": kind, "items" if kind == "array" else "values": item}, weight + 1
        if kind == "union":
            return self._union(depth, space)
        return self._named(kind, depth, space)

    def _again(self, space):
        """A type that is there already, by its name."""
        known = [name for name in self.types
                 if name not in self.open and self.weights[name] <= MAX_WEIGHT and self._spelled(name, space)]
        if not known:
            return "string", 1
        name = self.rng.choice(known)
        return self._spelled(name, space), self.weights[name]

    def _spelled(self, name, space):
        """How a type is named within a namespace: short where that is the same. A type of no namespace
        cannot be named where there is one."""
        own, _, short = name.rpartition(".")
        if own == space and self.rng.random() < 0.5:
            return short
        return name if own or not space else ""

    def _union(self, depth, space):
        branches, seen, weight = [], set(), 1
        if self.open and self.rng.random() < 0.5:  # what it stands in: "null" is the way out
            name = self._spelled(self.rng.choice(self.open), space)
            if name:
                branches, seen = ["null", name], {"null", self.full_name(name, space)}
                self.rng.shuffle(branches)
        for _ in range(self.rng.randint(1, 4)):
            before = dict(self.types)
            branch, more = self._type(depth - 1, space)
            kind = self._branch_kind(branch, space)
            if isinstance(branch, list) or kind in seen:
                self.types = before  # nothing may name what is not in the schema
                continue
            seen.add(kind)
            branches.append(branch)
            weight += more
        return branches or ["null"], weight

    def _branch_kind(self, branch, space):
        if isinstance(branch, str):
            return self.full_name(branch, space)
        if isinstance(branch, list):
            return "union"
        return self.name_of(branch, space) if "name" in branch else branch["type"]

    def _named(self, kind, depth, space):
        rng = self.rng
        self.number += 1
        made = {"type": kind, "name": f"N{self.number}"}
        style = rng.randrange(3)
        if style == 1:
            # None within a namespace is legal, and fastavro loses track of such types.
            made["namespace"] = rng.choice(SPACES if not space else SPACES[1:])
        elif style == 2:
            made["name"] = rng.choice(SPACES[1:]) + "." + made["name"]
        name = self.name_of(made, space)
        self.types[name], self.weights[name] = made, 1
        if kind == "enum":
            made["symbols"] = [f"S{i}" for i in range(rng.randint(1, 5))]
        elif kind == "fixed":
            made["size"] = rng.choice([0, 1, 2, 9, 300])
        else:
            self.open.append(name)
            made["fields"] = []
            for i in range(rng.randint(0, 5)):
                field, weight = self._type(depth - 1, name.rpartition(".")[0])
                made["fields"].append({"name": f"f{i}", "type": field})
                self.weights[name] += weight
            self.open.remove(name)
        return made, self.weights[name]

    @staticmethod
    def name_of(made, space):
        if "." in made["name"]:
            return made["name"]
        space = made.get("namespace", space)
        return f"{space}.{made['name']}" if space else made["name"]

    def full_name(self, name, space):
        if name in PRIMITIVES or "." in name or not space:
            return name
        return f"{space}.{name}"


class Encoder:
    def __init__(self, schema, rng):
        self.schema, self.rng = schema, rng

    def number(self, value):
        bits = (value << 1) ^ (value >> 63)
        out = bytearray()
        while bits > 0x7f:
            out.append(bits & 0x7f | 0x80)
            bits >>= 7
        out.append(bits)
        while self.rng.random() < 0.02 and len(out) < 9:  # a longer way to say the same
            out[-1] |= 0x80
            out.append(0)
        return bytes(out)

    def sized(self, payload):
        return self.number(len(payload)) + payload

    def text(self):
        return self.sized("".join(self.rng.choice("az ü€😀\0") for _ in range(self.rng.randint(0, 12))).encode())

    def value(self, kind, space, depth):
        rng, schema = self.rng, self.schema
        if isinstance(kind, list):
            return self.union(kind, space, depth)
        if isinstance(kind, str):
            name = schema.full_name(kind, space)
            return self.value(schema.types[name], space, depth) if name in schema.types else self.primitive(kind)
        if kind["type"] == "record":
            # The namespace that its fields are in; a repeated record has its own all the same.
            inner = next(name for name, made in schema.types.items() if made is kind).rpartition(".")[0]
            return b"".join(self.value(field["type"], inner, depth - 1) for field in kind["fields"])
        if kind["type"] == "enum":
            return self.number(rng.randrange(len(kind["symbols"])))
        if kind["type"] == "fixed":
            return rng.randbytes(kind["size"])
        if kind["type"] == "array":
            return self.blocks(lambda: self.value(kind["items"], space, depth - 1), depth)
        if kind["type"] == "map":
            return self.blocks(lambda: self.text() + self.value(kind["values"], space, depth - 1), depth)
        return self.primitive(kind["type"])

    def union(self, branches, space, depth):
        index = self.rng.randrange(len(branches))
        if depth <= 0 and "null" in branches:
            index = branches.index("null")
        return self.number(index) + self.value(branches[index], space, depth - 1)

    def blocks(self, item, depth):
        out = b""
        while depth > 0 and self.rng.random() < 0.6:
            items = [item() for _ in range(self.rng.randint(1, 3))]
            payload = b"".join(items)
            out += self.number(-len(items)) + self.sized(payload) if self.rng.random() < 0.4 \
                else self.number(len(items)) + payload
        return out + b"\0"

    def primitive(self, kind):
        rng = self.rng
        if kind == "null":
            return b""
        if kind == "boolean":
            return bytes([rng.randrange(2)])
        if kind == "int":
            return self.number(rng.choice([0, -1, 2**31 - 1, -2**31, rng.randint(-200, 200)]))
        if kind == "long":
            return self.number(rng.choice([0, -1, 2**63 - 1, -2**63, rng.randint(-2**40, 2**40)]))
        if kind == "float":
            return rng.choice([struct.pack("<f", 1.5), rng.randbytes(4)])
        if kind == "double":
            return rng.choice([struct.pack("<d", -2.25), rng.randbytes(8)])
        return self.text() if kind == "string" else self.sized(rng.randbytes(rng.randint(0, 100)))


def damaged(rng, wire):
    out = bytearray(wire)
    for _ in range(rng.randint(1, 3)):
        action = rng.randrange(5)
        if action == 0 and out:
            out[rng.randrange(len(out))] = rng.randrange(256)
        elif action == 1 and out:
            del out[rng.randrange(len(out)):]
        elif action == 2:
            out.insert(rng.randint(0, len(out)), rng.randrange(256))
        elif action == 3 and out:
            del out[rng.randrange(len(out))]
        elif action == 4 and out:  # a small step: counts and indexes just beside their range
            at = rng.randrange(len(out))
            out[at] = (out[at] + rng.choice([-2, -1, 1, 2])) % 256
    return bytes(out)
