"""Several gateways on one SeaweedFS: processes that can be killed, paused and started again, and what each of
them says of the cluster, asked on the wire."""
import signal
import socket
import struct
import time
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from . import seaweed, servers

METADATA_TIMEOUT_S = 5
LIST_OFFSETS = 2
LATEST = -1


class Gateway(servers.Tidegate):
    """One of them. The SeaweedFS is not its own."""

    def __init__(self, work_dir, binary, node, shared, settings):
        super().__init__(work_dir, None, binary, "memory", [*settings, f"node.id={node}"])
        self.engine, self.seaweed, self.durable, self.node = "seaweedmq", shared, True, node

    def _start_seaweed(self):
        """It is there."""

    def close(self):
        self.kill()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)


class Gateways:
    def __init__(self, work_dir, binary, count, kind, settings=(), **cluster):
        """`cluster` is for seaweed.make()."""
        try:
            self.seaweed = seaweed.make(kind, work_dir, "seaweedmq.path=broker" in settings, **cluster)
            self.seaweed.start()
        except seaweed.SeaweedError as error:
            raise servers.ServerError(str(error)) from None
        self.all = {}
        for node in range(1, count + 1):
            own = Path(work_dir) / f"gateway-{node}"
            own.mkdir()
            self.all[node] = Gateway(own, binary, node, self.seaweed, settings)

    def start(self):
        for gateway in self.all.values():
            gateway.start()

    @property
    def bootstrap(self):
        return ",".join(gateway.bootstrap for gateway in self.all.values())

    def leaders(self, node, topic):
        """({live nodes}, {partition: leader}) as this gateway tells it; (set(), {}) when it does not."""
        try:
            admin = AdminClient({"bootstrap.servers": self.all[node].bootstrap, "log_level": 0})
            said = admin.list_topics(topic, timeout=METADATA_TIMEOUT_S)
        except KafkaException:
            return set(), {}
        return set(said.brokers), {p.id: p.leader for p in said.topics[topic].partitions.values()}

    def wait_for(self, node, topic, good, timeout_s):
        """Until good(nodes, leaders) of what the gateway tells; the leaders, or a ServerError."""
        end, seen = time.monotonic() + timeout_s, None
        while time.monotonic() < end:
            seen = self.leaders(node, topic)
            if good(*seen):
                return seen[1]
            time.sleep(0.2)
        raise servers.ServerError(f"gateway {node} tells after {timeout_s} s: nodes and leaders {seen}")

    def ends(self, node, topic):
        """{partition: end of its log} by their leaders, of those that tell. `node` says who leads."""
        found, by_leader = {}, {}
        for partition, leader in self.leaders(node, topic)[1].items():
            by_leader.setdefault(leader, []).append(partition)
        for leader, partitions in by_leader.items():
            try:
                told = Question(self.all[leader], topic, partitions).answer(METADATA_TIMEOUT_S)
            except (OSError, KeyError, struct.error):
                continue
            found.update({p: end for p, (error, end) in told.items() if error == 0})
        return found

    def close(self):
        for gateway in self.all.values():
            gateway.close()
        self.seaweed.close()


class Question:
    """A ListOffsets (version 1, latest) of several partitions, which is sent at once. The kernel takes it for
    a paused gateway, too; the answer comes when that goes on."""

    def __init__(self, gateway, topic, partitions):
        host, port = gateway.bootstrap.rsplit(":", 1)
        name = topic.encode()
        body = struct.pack(">iih", -1, 1, len(name)) + name + struct.pack(">i", len(partitions))
        body += b"".join(struct.pack(">iq", partition, LATEST) for partition in partitions)
        head = struct.pack(">hhih", LIST_OFFSETS, 1, 1, -1)
        self.sock = socket.create_connection((host, int(port)), 5)
        self.sock.sendall(struct.pack(">i", len(head) + len(body)) + head + body)

    def answer(self, timeout_s):
        """{partition: (error, offset)}"""
        self.sock.settimeout(timeout_s)
        size = struct.unpack(">i", self.sock.recv(4, socket.MSG_WAITALL))[0]
        reply = self.sock.recv(size, socket.MSG_WAITALL)
        self.sock.close()
        at = 8  # correlation id, one topic
        at += 2 + struct.unpack_from(">h", reply, at)[0]
        count, found = struct.unpack_from(">i", reply, at)[0], {}
        for n in range(count):
            partition, error, _, offset = struct.unpack_from(">ihqq", reply, at + 4 + 22 * n)
            found[partition] = (error, offset)
        return found
