"""Asks a group coordinator on the wire, without a client library in between: three small requests of a
one-node cluster. (librdkafka's admin client aborts when its broker is killed under such requests.)"""
import socket
import struct
from dataclasses import dataclass

OFFSET_FETCH, DESCRIBE_GROUPS, CONSUMER_GROUP_DESCRIBE = 9, 15, 69
TIMEOUT_S = 5


class WireError(Exception):
    """No answer, or one that makes no sense."""


@dataclass
class Description:
    state: str
    assignor: str
    assignments: dict  # member id -> ["topic-0", ...]


def _string(text):
    return struct.pack(">h", len(text.encode())) + text.encode()


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        value = struct.unpack_from(">" + form, self.data, self.at)[0]
        self.at += struct.calcsize(">" + form)
        return value

    def raw(self, size):
        self.at += max(0, size)
        return self.data[self.at - max(0, size):self.at]

    def string(self):
        return self.raw(self.take("h")).decode()

    def bytes(self):
        return self.raw(self.take("i"))

    def array(self, item):
        return [item() for _ in range(self.take("i"))]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def compact_string(self):
        return self.raw(self.varint() - 1).decode()

    def compact_array(self, item):
        return [item() for _ in range(self.varint() - 1)]

    def tags(self):
        for _ in range(self.varint()):
            self.varint()
            self.raw(self.varint())


def _ask(address, key, version, body, flexible=False):
    host, port = address.rsplit(":", 1)
    head = struct.pack(">hhi", key, version, 1) + _string("watcher") + (b"\0" if flexible else b"")
    try:
        with socket.create_connection((host, int(port)), TIMEOUT_S) as sock:
            sock.settimeout(TIMEOUT_S)
            sock.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
            size = sock.recv(4, socket.MSG_WAITALL)
            if len(size) < 4:
                raise WireError("connection closed")
            reply = sock.recv(struct.unpack(">i", size)[0], socket.MSG_WAITALL)
    except OSError as error:
        raise WireError(str(error)) from None
    reader = _Reader(reply)
    reader.take("i")
    if flexible:
        reader.tags()
    return reader


def committed(address, group, topic, partitions):
    """{partition: offset} of OffsetFetch v1, -1 where none was committed; what the coordinator answers
    with an error is left out."""
    body = _string(group) + struct.pack(">i", 1) + _string(topic) + struct.pack(
        f">i{partitions}i", partitions, *range(partitions))
    r, found = _ask(address, OFFSET_FETCH, 1, body), {}

    def partition():
        number, offset, _, error = r.take("i"), r.take("q"), r.string(), r.take("h")
        if error == 0:
            found[number] = offset

    try:
        r.array(lambda: (r.string(), r.array(partition)))
    except (struct.error, UnicodeDecodeError) as error:
        raise WireError(str(error)) from None
    return found


def describe(address, group, consumer_protocol):
    """None when the coordinator does not know the group, or says an error."""
    try:
        return _describe_consumer(address, group) if consumer_protocol else _describe(address, group)
    except (struct.error, UnicodeDecodeError) as error:
        raise WireError(str(error)) from None


def _describe(address, group):
    """DescribeGroups v0."""
    r, assignments = _ask(address, DESCRIBE_GROUPS, 0, struct.pack(">i", 1) + _string(group)), {}

    def member():
        name, _, _, _, assigned = r.string(), r.string(), r.string(), r.bytes(), r.bytes()
        a = _Reader(assigned)
        assignments[name] = []
        if assigned:
            a.take("h")
            for topic, partitions in a.array(lambda: (a.string(), a.array(lambda: a.take("i")))):
                assignments[name] += [f"{topic}-{p}" for p in partitions]

    r.take("i")  # one group
    error, _, state, _, assignor = r.take("h"), r.string(), r.string(), r.string(), r.string()
    r.array(member)
    return None if error else Description(state, assignor, assignments)


def _describe_consumer(address, group):
    """ConsumerGroupDescribe v0."""
    body = b"\x02" + bytes([len(group.encode()) + 1]) + group.encode() + b"\0\0"
    r, assignments = _ask(address, CONSUMER_GROUP_DESCRIBE, 0, body, flexible=True), {}

    def topic():
        r.raw(16)
        name, partitions = r.compact_string(), r.compact_array(lambda: r.take("i"))
        r.tags()
        return [f"{name}-{p}" for p in partitions]

    def assignment():
        tps = [tp for some in r.compact_array(topic) for tp in some]
        r.tags()
        return tps

    def member():
        name = r.compact_string()
        r.compact_string(), r.compact_string(), r.take("i"), r.compact_string(), r.compact_string()
        r.compact_array(r.compact_string), r.compact_string()
        assignments[name] = assignment()
        assignment()  # the target
        r.tags()

    r.take("i"), r.varint()  # throttle time, one group
    error = r.take("h")
    r.compact_string(), r.compact_string()
    state, _, _, assignor = r.compact_string(), r.take("i"), r.take("i"), r.compact_string()
    r.compact_array(member)
    return None if error else Description(state, assignor, assignments)
