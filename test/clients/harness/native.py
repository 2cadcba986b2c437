"""A native client of SeaweedMQ over gRPC: publisher, subscriber, and what the filer has of a topic.

Messages are those of proto/ and of messaging.proto beside this file, described by protoc, so that no code is
generated. Needs the interpreter of deps.python_venv("native-requirements.txt").
"""
import queue
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from . import deps
from .servers import ServerError

SERVICE = "/messaging_pb.SeaweedMessaging/"
FILER = "/filer_pb.SeaweedFiler/"
NAMESPACE = "kafka"
CALL_TIMEOUT_S = 20
STREAM_TIMEOUT_S = 600  # no broker of a case lives as long
PATIENCE_S = 90  # a broker knows other brokers and its filer some time after it listens
RESET_TO_EARLIEST = 5
WINDOW = 64  # messages that a subscriber may have unacknowledged; a broker given 0 ends itself
MAX_MESSAGE_BYTES = 64 << 20


def _classes():
    with tempfile.NamedTemporaryFile() as described:
        subprocess.run([deps.tool("protoc"), f"-I{deps.SOURCE_DIR / 'proto'}", f"-I{Path(__file__).parent}",
                        "--include_imports", f"--descriptor_set_out={described.name}",
                        "seaweedfs/filer.proto", "messaging.proto"], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(described.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    names = [f"{file.package}.{message.name}" for file in files.file for message in file.message_type]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names}


MESSAGES = _classes()


def message(kind, **fields):
    return MESSAGES[kind](**fields)


def topic_of(name):
    return message("schema_pb.Topic", namespace=NAMESPACE, name=name)


def _channel(address):
    return grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)])


def _both_ways(answer):
    """How a channel is told to write any message and to read this kind of it."""
    return {"request_serializer": lambda m: m.SerializeToString(),
            "response_deserializer": MESSAGES[answer].FromString}


class Publisher:
    """One stream to one partition. It stays open as long as the broker lives: a broker that has lost the last
    stream of a topic freezes within a minute."""

    def __init__(self, channel, topic, partition):
        self.requests = queue.Queue()
        call = channel.stream_stream(SERVICE + "PublishMessage",
                                     **_both_ways("messaging_pb.PublishMessageResponse"))
        self.answers = call(iter(self.requests.get, None), timeout=STREAM_TIMEOUT_S)
        init = {"topic": topic_of(topic), "partition": partition, "publisher_name": "test"}
        self.requests.put(message("messaging_pb.PublishMessageRequest", init=init))
        self._answer()

    def _answer(self):
        answer = next(self.answers)
        if answer.error:
            raise ServerError(f"publishing: {answer.error_code} {answer.error}")
        return answer

    def publish(self, records):
        """[(key, value, ts_ns)] -> [offset], all of them under way at once. A broker keeps a time that is later
        than the one before."""
        for key, value, ts_ns in records:
            self.requests.put(message("messaging_pb.PublishMessageRequest",
                                      data={"key": key, "value": value, "ts_ns": ts_ns}))
        return [self._answer().assigned_offset for _ in records]


class Broker:
    def __init__(self, address):
        self.channel = _channel(address)
        self.open = []  # streams, which end with the channel

    def _call(self, name, answer, request):
        """A broker that has just begun refuses everything: until it knows its filer and itself."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                call = self.channel.unary_unary(SERVICE + name, **_both_ways(f"messaging_pb.{answer}"))
                return call(request, timeout=CALL_TIMEOUT_S)
            except grpc.RpcError as error:
                if time.monotonic() > end:
                    raise ServerError(f"broker, {name}: {error.details()}") from None
                time.sleep(0.5)

    def configure(self, topic, partitions):
        request = message("messaging_pb.ConfigureTopicRequest", topic=topic_of(topic),
                          partition_count=partitions)
        self._call("ConfigureTopic", "Assignments", request)
        return self.partitions(topic)

    def partitions(self, topic):
        """In the order of the ring, once each has a broker."""
        request = message("messaging_pb.LookupTopicBrokersRequest", topic=topic_of(topic))
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = self._call("LookupTopicBrokers", "Assignments", request).broker_partition_assignments
            if found and all(one.leader_broker for one in found):
                return sorted((one.partition for one in found), key=lambda p: p.range_start)
            time.sleep(0.5)
        raise ServerError(f"no broker has the partitions of {topic}")

    def topics(self):
        found = self._call("ListTopics", "ListTopicsResponse", message("messaging_pb.ListTopicsRequest"))
        return {one.name for one in found.topics if one.namespace == NAMESPACE}

    def publisher(self, topic, partition):
        self.open.append(Publisher(self.channel, topic, partition))
        return self.open[-1]

    def subscribe(self, topic, partition, count, timeout_s=PATIENCE_S):
        """The first `count` messages, (key, value, ts_ns) each, and what comes right behind them; fewer when no
        more came in time. The stream stays open, as a publisher's does."""
        requests = queue.Queue()
        call = self.channel.stream_stream(SERVICE + "SubscribeMessage",
                                          **_both_ways("messaging_pb.SubscribeMessageResponse"))
        answers = call(iter(requests.get, None), timeout=STREAM_TIMEOUT_S)
        self.open.append(answers)
        requests.put(message("messaging_pb.SubscribeMessageRequest", init={
            "consumer_group": "native", "consumer_id": f"test-{len(self.open)}", "client_id": "test",
            "topic": topic_of(topic), "partition_offset": {"partition": partition},
            "offset_type": RESET_TO_EARLIEST, "sliding_window_size": WINDOW}))
        got, done = [], threading.Event()

        def read():
            try:
                for answer in answers:
                    if answer.WhichOneof("message") != "data":
                        continue
                    data = answer.data
                    got.append((data.key, data.value, data.ts_ns))
                    requests.put(message("messaging_pb.SubscribeMessageRequest",
                                         ack={"ts_ns": data.ts_ns, "key": data.key}))
                    if len(got) >= count:
                        done.set()
            except grpc.RpcError:
                pass

        threading.Thread(target=read, daemon=True).start()
        done.wait(timeout_s)
        time.sleep(1)  # more than there should be shows itself soon
        return list(got)

    def close(self):
        self.channel.close()


class Filer:
    def __init__(self, address):
        self.channel = _channel(address)

    def list(self, directory):
        call = self.channel.unary_stream(FILER + "ListEntries", **_both_ways("filer_pb.ListEntriesResponse"))
        request = message("filer_pb.ListEntriesRequest", directory=directory, limit=10000)
        return [answer.entry for answer in call(request, timeout=CALL_TIMEOUT_S)]

    def content(self, directory, name):
        """Of a file inside of its entry; None when there is none."""
        return next((entry.content for entry in self.list(directory) if entry.name == name), None)

    def generations(self, topic):
        return sorted(entry.name for entry in self.list(f"/topics/{NAMESPACE}/{topic}")
                      if entry.is_directory and entry.name.startswith("v"))

    def checkpoint(self, topic, partition):
        """The last offset that the broker has noted for its next life; -1 when none."""
        of_ring = f"{partition.range_start:04d}-{partition.range_stop:04d}"
        directory = f"/topics/{NAMESPACE}/{topic}/{self.generations(topic)[-1]}/{of_ring}"
        content = self.content(directory, "checkpoint.offset")
        return struct.unpack(">q", content)[0] if content else -1

    def close(self):
        self.channel.close()
