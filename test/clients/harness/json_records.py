"""JSON Schema cases for serializers_test: what Confluent's JSON serializer writes is taken and comes back as it
was, and what its deserializer refuses is refused."""
import json
import struct

FULL = {"tidegate.value.schema.validation": "full"}
ITEM = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "http://shop.example/item.json",
        "type": "object", "properties": {"name": {"type": "string", "pattern": "^\\S"},
                                         "price": {"type": "number", "multipleOf": 0.25}},
        "required": ["name"], "additionalProperties": False}
ORDER = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "http://shop.example/order.json",
         "title": "Order", "type": "object",
         "properties": {"id": {"type": "integer", "maximum": 2**53 + 2},
                        "items": {"type": "array", "items": {"$ref": "http://shop.example/item.json"}},
                        "way": {"oneOf": [{"type": "null"}, {"enum": ["post", "air"]}]}},
         "required": ["id"]}


def serializer(world, topic):
    from confluent_kafka.schema_registry import Schema, SchemaReference
    from confluent_kafka.schema_registry.json_schema import JSONSerializer
    world.client.register_schema("json-items", Schema(json.dumps(ITEM), "JSON"))
    order = Schema(json.dumps(ORDER), "JSON", [SchemaReference("http://shop.example/item.json", "json-items", 1)])
    return JSONSerializer(order, world.client)


def order(number):
    return {"id": 2**53 + number, "items": [{"name": "Å 😀", "price": 19.75}, {"name": "b"}], "way": "air"}


def json_round_trip(world):
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        topic = world.topic(f"json-{codec}", FULL)
        to_bytes = serializer(world, topic)
        values = [world.serialized(to_bytes, topic, order(number)) for number in range(3)]
        # Other spellings of the same values.
        values.append(values[0][:5] + json.dumps(order(0), indent=2, ensure_ascii=False).encode())
        values.append(values[0][:5] + b'{"id": 1.0, "id": 10e-1}')
        told = world.produce(topic, values, **{"compression.type": codec})
        assert told == [(0, offset) for offset in range(len(values))], told
        assert world.read(topic) == values, codec


def json_bad_records(world):
    from confluent_kafka import KafkaError
    from jsonschema import validators
    topic = world.topic("json-bad", FULL)
    good = world.serialized(serializer(world, topic), topic, order(1))
    prefix = good[:5]
    plain = {**ORDER, "properties": {**ORDER["properties"], "items": {"type": "array", "items": ITEM}}}
    peer = validators.validator_for(plain)(plain)
    documents = [{}, [], {"id": "1"}, {"id": 1.5}, {"id": 2**53 + 3}, {"id": 1, "way": "sea"},
                 {"id": 1, "items": [{"name": " a"}]}, {"id": 1, "items": [{"name": "a"}, {"name": "a", "b": 1}]},
                 {"id": 1, "items": [{}]}]
    assert not any(peer.is_valid(each) for each in documents)
    bad = [prefix + json.dumps(each).encode() for each in documents]
    bad += [good[:-1], good + b"}", prefix, prefix + b"\xff", prefix + b'{"id": 01}', prefix + b'{"id": NaN}']
    mismatches = world.counted("mismatch")
    told = world.produce(topic, [good, *bad, good])
    other = KafkaError._INVALID_DIFFERENT_RECORD
    assert [code for code, _ in told] == [other, *[87] * len(bad), other], told
    assert world.counted("mismatch") == mismatches + len(bad)
    assert world.end(topic) == 0
    assert world.produce(topic, [good, None, good + b" \n"]) == [(0, offset) for offset in range(3)]


def json_every_cut_is_refused(world):
    topic = world.topic("json-cuts", FULL)
    good = world.serialized(serializer(world, topic), topic, order(1))
    cuts = [good[:size] for size in range(len(good))]
    told = world.produce(topic, cuts)
    assert [code for code, _ in told] == [87] * len(cuts), told


def json_unusable_schemas(world):
    from confluent_kafka.schema_registry import Schema
    topic = world.topic("json-unusable", FULL)
    for schema in ({"pattern": "^(?!a)"}, {"$ref": "http://elsewhere.example/a.json"}):
        text = json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": schema}})
        number = world.client.register_schema(f"{topic}-value", Schema(text, "JSON"))
        assert world.refused(topic, b"\0" + struct.pack(">i", number) + b"{}", "unusable"), schema


CASES = [json_round_trip, json_bad_records, json_every_cut_is_refused, json_unusable_schemas]
