"""Client quotas on the wire, for clients that cannot set them: AlterClientQuotas and DescribeClientQuotas in
version 0. An entity is a dictionary of its types; a name of None is the default."""
import socket
import struct

DESCRIBE, ALTER = 48, 49
ANY = 2  # match type: whatever the name is
TIMEOUT_S = 10


class QuotaError(Exception):
    pass


def _string(text):
    if text is None:
        return struct.pack(">h", -1)
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _call(bootstrap, key, body):
    host, port = bootstrap.split(",")[0].rsplit(":", 1)
    head = struct.pack(">hhih", key, 0, 1, -1)
    with socket.create_connection((host, int(port)), TIMEOUT_S) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        size = struct.unpack(">i", sock.recv(4, socket.MSG_WAITALL))[0]
        return _Reader(sock.recv(size, socket.MSG_WAITALL)[8:])  # correlation id and throttle time


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0]

    def string(self):
        size = self.take("h")
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def entity(self):
        return {self.string(): self.string() for _ in range(self.take("i"))}


def alter(bootstrap, entity, quotas):
    """`quotas` are values by key; None removes one. A refusal is a QuotaError."""
    body = struct.pack(">ii", 1, len(entity))
    for kind, name in entity.items():
        body += _string(kind) + _string(name)
    body += struct.pack(">i", len(quotas))
    for key, value in quotas.items():
        body += _string(key) + struct.pack(">d?", value or 0.0, value is None)
    answer = _call(bootstrap, ALTER, body + b"\0")
    assert answer.take("i") == 1
    error, message = answer.take("h"), answer.string()
    if error:
        raise QuotaError(f"error {error}: {message}")


def describe(bootstrap, kind):
    """[(entity, {key: value})] of all entities that have this type."""
    answer = _call(bootstrap, DESCRIBE, struct.pack(">i", 1) + _string(kind) + struct.pack(">b", ANY) + _string(None) +
                   b"\0")
    error, message = answer.take("h"), answer.string()
    if error:
        raise QuotaError(f"error {error}: {message}")
    return [(answer.entity(), {answer.string(): answer.take("d") for _ in range(answer.take("i"))})
            for _ in range(answer.take("i"))]
