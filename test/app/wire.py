"""The few requests that these tests send by hand, and what they read of the answers."""
import struct


def crc_row(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


CRC_ROWS = [crc_row(byte) for byte in range(256)]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_ROWS[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def varint(value):
    """Zigzag, of what is not negative."""
    value <<= 1
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(groups) + bytes([value])


def frame(key, version, body):
    message = struct.pack(">hhih", key, version, 1, -1) + body
    return struct.pack(">i", len(message)) + message


def create_by_metadata(topic):
    """Metadata 1: asking for a topic makes it."""
    return frame(3, 1, struct.pack(">i", 1) + text(topic))


def create_topic(topic, partitions):
    """CreateTopics 2, one replica."""
    body = struct.pack(">i", 1) + text(topic) + struct.pack(">ihii", partitions, 1, 0, 0)
    return frame(19, 2, body + struct.pack(">ib", 30_000, 0))


def one_record_batch(value=b"x", timestamp_ms=0):
    # Attributes, deltas, no key, the value, no headers.
    record = bytes([0, 0, 0, 1]) + varint(len(value)) + value + bytes([0])
    record = varint(len(record)) + record
    tail = struct.pack(">hiqqqhii", 0, 0, timestamp_ms, timestamp_ms, -1, -1, -1, 1) + record
    behind_length = struct.pack(">ibI", -1, 2, crc32c(tail)) + tail
    return struct.pack(">qi", 0, len(behind_length)) + behind_length


def without_place(batch):
    """What a batch keeps from producer to consumer: all behind offset, length and leader epoch."""
    return batch[16:]


def produce(topic, batch=None):
    """Produce 3 of one batch to partition 0, acks=all, timeout 30 s."""
    batch = batch or one_record_batch()
    body = struct.pack(">hhi", -1, -1, 30_000) + struct.pack(">i", 1) + text(topic)
    body += struct.pack(">iii", 1, 0, len(batch)) + batch
    return frame(0, 3, body)


def produced(reply):
    """(error code, base offset) of the one partition in a Produce 3 answer."""
    (length,) = struct.unpack_from(">h", reply, 8)
    return struct.unpack_from(">hq", reply, 8 + 2 + length + 4 + 4)


def fetch(topic, offset, max_bytes):
    """Fetch 4 of partition 0, without waiting. One batch comes at least, if there is one."""
    body = struct.pack(">iiiib", -1, 0, 1, 50 << 20, 0) + struct.pack(">i", 1) + text(topic)
    return frame(1, 4, body + struct.pack(">iiqi", 1, 0, offset, max_bytes))


def fetched(reply):
    """(error code, high watermark, record bytes) of the one partition in a Fetch 4 answer."""
    (length,) = struct.unpack_from(">h", reply, 12)
    at = 12 + 2 + length + 4 + 4
    error, high_watermark, _, aborted = struct.unpack_from(">hqqi", reply, at)
    at += 22 + 16 * max(aborted, 0)
    (size,) = struct.unpack_from(">i", reply, at)
    return error, high_watermark, reply[at + 4:at + 4 + max(size, 0)]


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def offset_commit(group, topic, offsets, metadata=""):
    """OffsetCommit 2 of a group that nobody is in: {partition: offset} of one topic."""
    partitions = [struct.pack(">iq", partition, offset) + text(metadata) for partition, offset in offsets.items()]
    body = text(group) + struct.pack(">i", -1) + text("") + struct.pack(">q", -1)
    return frame(8, 2, body + array([text(topic) + array(partitions)]))


def offset_fetch(group, topic, partitions):
    """OffsetFetch 1 of some partitions of one topic."""
    numbers = array([struct.pack(">i", partition) for partition in partitions])
    return frame(9, 1, text(group) + array([text(topic) + numbers]))


class Reader:
    """Takes a classic answer apart, behind its correlation id."""

    def __init__(self, reply):
        self.reply, self.at = reply, 4

    def take(self, form):
        values = struct.unpack_from(">" + form, self.reply, self.at)
        self.at += struct.calcsize(">" + form)
        return values if len(values) > 1 else values[0]

    def text(self):
        length = self.take("h")
        self.at += max(length, 0)
        return None if length < 0 else self.reply[self.at - length:self.at].decode()

    def array(self, item):
        return [item() for _ in range(self.take("i"))]


def offset_answers(reply, item):
    """The partitions of an OffsetCommit 2 or OffsetFetch 1 answer of one topic."""
    reader = Reader(reply)
    topics = reader.array(lambda: (reader.text(), reader.array(lambda: item(reader))))
    return topics[0][1]


def offsets_committed(reply):
    """{partition: error code} of an OffsetCommit 2 answer."""
    return dict(offset_answers(reply, lambda reader: reader.take("ih")))


def offsets_fetched(reply):
    """{partition: (error code, offset, metadata)} of an OffsetFetch 1 answer; an offset of -1 is none."""
    def partition(reader):
        number, offset = reader.take("iq")
        metadata = reader.text()
        return number, (reader.take("h"), offset, metadata)

    return dict(offset_answers(reply, partition))


def join_group(group, member="", protocol="range"):
    """JoinGroup 0, which needs no member id of the coordinator's beforehand."""
    body = text(group) + struct.pack(">i", 30_000) + text(member) + text("consumer")
    return frame(11, 0, body + array([text(protocol) + struct.pack(">i", 0)]))
