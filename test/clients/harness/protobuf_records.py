"""Protobuf messages of a small shop, described by protoc, and cases for serializers_test: what Confluent's
Protobuf serializer writes is taken and comes back as it was."""
import struct
import subprocess
import tempfile
from pathlib import Path

from . import deps

FULL = {"tidegate.value.schema.validation": "full"}
FILES = {"shop/item.proto": """syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Item {
  string name = 1;
  google.protobuf.Timestamp made = 2;
}
""", "shop/order.proto": """syntax = "proto3";
package shop;
import "shop/item.proto";
import "google/type/money.proto";
message Order {
  map<string, Item> items = 1;
  message Line { repeated sint32 sizes = 1; string note = 2; }
  repeated Line lines = 2;
  Order before = 3;
  google.type.Money amount = 4;
  oneof way { fixed32 post = 5; double air = 6; }
}
message Customer {
  message Address { string city = 1; }
  Address home = 1;
  bytes key = 2;
}
"""}


class Shop:
    def __init__(self):
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
        from google.protobuf import timestamp_pb2  # noqa: F401: so that it is in the pool
        from google.type import money_pb2  # noqa: F401
        with tempfile.TemporaryDirectory() as directory:
            for name, text in FILES.items():
                (Path(directory) / name).parent.mkdir(exist_ok=True)
                (Path(directory) / name).write_text(text)
            (Path(directory) / "google/type").mkdir(parents=True)
            money = 'syntax = "proto3"; package google.type; message Money {}'  # its fields are in the pool
            (Path(directory) / "google/type/money.proto").write_text(money)
            described = Path(directory) / "described"
            subprocess.run([deps.tool("protoc"), f"-I{directory}", f"--descriptor_set_out={described}", *FILES],
                           check=True)
            files = descriptor_pb2.FileDescriptorSet.FromString(described.read_bytes())
        pool = descriptor_pool.Default()
        for file in files.file:
            pool.Add(file)
        self.type = {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"shop.{name}"))
                     for name in ("Item", "Order", "Order.Line", "Customer", "Customer.Address")}

    def order(self, number, before=None):
        order = self.type["Order"](before=before, air=1.5)
        order.items["ü"].name = f"item {number}"
        order.items["ü"].made.seconds = 1_700_000_000 + number
        order.lines.add(sizes=[1, -300, 2**31 - 1], note="note")
        order.amount.currency_code, order.amount.units = "EUR", number
        return order


def serializer(world, message, strategy=None):
    from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
    conf = {"use.deprecated.format": False} | ({"subject.name.strategy": strategy} if strategy else {})
    return ProtobufSerializer(type(message), world.client, conf)


def serialized(world, topic, message, strategy=None):
    return world.serialized(serializer(world, message, strategy), topic, message)


def deserialized(world, topic, message_type, value):
    from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
    from confluent_kafka.serialization import MessageField, SerializationContext
    read = ProtobufDeserializer(message_type, {"use.deprecated.format": False}, world.client)
    return read(value, SerializationContext(topic, MessageField.VALUE))


def protobuf_round_trip(world):
    """Messages of every place in the file, their references registered by the serializer."""
    shop = Shop()
    sent = [(shop.order(1), b"\x00"), (shop.order(2, shop.order(3)), b"\x00"), (shop.type["Order"](), b"\x00"),
            (shop.type["Customer"](home={"city": "Å"}, key=b"\xff"), b"\x02\x02"),
            (shop.type["Customer.Address"](city="Å"), b"\x04\x02\x00"),
            # Behind the map's own message, which the serializer counts.
            (shop.type["Order.Line"](note="n"), b"\x04\x00\x02")]
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        topic = world.topic(f"protobuf-{codec}", FULL)
        values = [serialized(world, topic, message) for message, _ in sent]
        for value, (message, path) in zip(values, sent):
            assert value[5:] == path + message.SerializeToString(), value
        told = world.produce(topic, values, **{"compression.type": codec})
        assert told == [(0, offset) for offset in range(len(values))], told
        got = world.read(topic)
        assert got == values, codec
        for value, (message, _) in zip(got, sent):
            assert deserialized(world, topic, type(message), value) == message


def protobuf_bad_records(world):
    from confluent_kafka import KafkaError
    shop = Shop()
    topic = world.topic("protobuf-bad", FULL)
    good = serialized(world, topic, shop.order(1))
    no_text = good[:6] + b"\x12\x03\x12\x01\xff"  # lines[0].note
    bad = [good[:-1], good + b"\0", good[:5], good[:5] + b"\x02\x04" + good[6:], no_text,
           good[:5] + b"\xfe\xff\xff\xff\x0f"]
    mismatches = world.counted("mismatch")
    told = world.produce(topic, [good, *bad, good])
    other = KafkaError._INVALID_DIFFERENT_RECORD
    assert [code for code, _ in told] == [other, *[87] * len(bad), other], told
    assert world.counted("mismatch") == mismatches + len(bad)
    assert world.end(topic) == 0
    # Long spelling of the path, fields that nobody knows: as they were.
    values = [good, None, good[:5] + b"\x02\x00" + good[6:], good + b"\xf8\x07\x01"]
    assert world.produce(topic, values) == [(0, offset) for offset in range(4)]
    assert world.read(topic) == values


def protobuf_every_cut_is_refused(world):
    shop = Shop()
    topic = world.topic("protobuf-cuts", FULL)
    good = serialized(world, topic, shop.type["Order"](before=shop.order(1)))  # one field
    cuts = [good[:size] for size in range(len(good)) if size != 6]  # at 6 it is a message of no fields
    told = world.produce(topic, cuts)
    assert [code for code, _ in told] == [87] * len(cuts), told


def protobuf_text_schema(world):
    """A registry that keeps .proto files as text, as Confluent's does."""
    from confluent_kafka.schema_registry import Schema, SchemaReference
    shop = Shop()
    topic = world.topic("protobuf-text", FULL)
    world.client.register_schema("items in text", Schema(FILES["shop/item.proto"], "PROTOBUF"))
    number = world.client.register_schema(f"{topic}-value", Schema(
        FILES["shop/order.proto"], "PROTOBUF", [SchemaReference("shop/item.proto", "items in text", 1)]))
    prefix = b"\0" + struct.pack(">i", number)
    good = prefix + b"\0" + shop.order(1, shop.order(2)).SerializeToString()
    assert world.produce(topic, [good]) == [(0, 0)]
    # Line with the map's message counted, and without.
    line = shop.type["Order.Line"](note="n").SerializeToString()
    assert world.produce(topic, [prefix + b"\x04\0\2" + line, prefix + b"\x04\0\0" + line]) == [(0, 1), (0, 2)]
    assert world.refused(topic, prefix + b"\x04\0\4" + line, "mismatch")
    assert world.refused(topic, good[:-1], "mismatch")
    lone = world.client.register_schema(f"{topic}-value", Schema(FILES["shop/order.proto"], "PROTOBUF"))
    assert world.refused(topic, b"\0" + struct.pack(">i", lone) + b"\0", "unusable"), "its reference is missing"


CASES = [protobuf_round_trip, protobuf_bad_records, protobuf_every_cut_is_refused, protobuf_text_schema]
