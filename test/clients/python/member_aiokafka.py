"""A group member of the churn test on aiokafka: reads, commits what it has read, and records every
poll, commit, assignment and revocation. SIGTERM makes it leave.

Arguments: NAME GROUP TOPIC ASSIGNOR; ASSIGNOR is range, roundrobin or sticky.
"""
import asyncio
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener  # noqa: E402
from aiokafka.coordinator.assignors.range import RangePartitionAssignor  # noqa: E402
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor  # noqa: E402
from aiokafka.coordinator.assignors.sticky.sticky_assignor import (  # noqa: E402
    StickyPartitionAssignor)
from aiokafka.errors import IllegalStateError, KafkaError  # noqa: E402

from checker.history import Recorder  # noqa: E402
from harness import coordinator  # noqa: E402

NAME, GROUP, TOPIC, ASSIGNOR = sys.argv[1:5]
ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor,
             "sticky": StickyPartitionAssignor}


def name(tp):
    return f"{tp.topic}-{tp.partition}"


class Member(ConsumerRebalanceListener):
    def __init__(self, history):
        self.history, self.consumer = history, None
        self.pending = {}  # read and not known to be committed: a failed commit is tried again

    def make_consumer(self):
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=os.environ["TG_BOOTSTRAP"], client_id=NAME, group_id=GROUP,
            enable_auto_commit=False, auto_offset_reset="earliest", retry_backoff_ms=50,
            partition_assignment_strategy=[ASSIGNORS[a] for a in ASSIGNOR.split(",")],
            session_timeout_ms=int(os.environ["TG_SESSION_MS"]), heartbeat_interval_ms=300,
            max_poll_interval_ms=20000, rebalance_timeout_ms=20000)

    async def on_partitions_revoked(self, revoked):
        self.pending.clear()
        if revoked:
            self.history.note(NAME, "revoke", group=GROUP, tps=sorted(map(name, revoked)))

    async def on_partitions_assigned(self, assigned):
        generation = getattr(self.consumer._coordinator, "generation", None)
        self.history.note(NAME, "own", group=GROUP, generation=generation,
                          tps=sorted(map(name, assigned)), cooperative=False)
        for tp in assigned:
            op = self.history.invoke(NAME, "resume", group=GROUP, tp=name(tp), offset=-1)
            try:
                at = await asyncio.wait_for(self.consumer.committed(tp), 10)
            except (KafkaError, asyncio.TimeoutError) as error:
                self.history.unknown(op, why=str(error))
                continue
            if at is None and not await self.none_was_committed(tp):
                self.history.unknown(op, why="committed() said None")
                continue
            self.history.ok(op, offset=-1 if at is None else at)
            if at is None:
                self.history.note(NAME, "seek", positions={name(tp): 0})
            try:
                self.consumer.seek(tp, at or 0)
            except IllegalStateError:
                return  # the next assignment is there already

    @staticmethod
    async def none_was_committed(tp):
        """committed() says None, too, when a starting broker does not know the topic yet."""
        try:
            said = await asyncio.get_running_loop().run_in_executor(
                None, coordinator.committed, os.environ["TG_BOOTSTRAP"], GROUP, tp.topic,
                tp.partition + 1)
        except coordinator.WireError:
            return False
        return said.get(tp.partition) == -1

    async def step(self):
        found = await self.consumer.getmany(timeout_ms=200, max_records=500)
        records = [[name(tp), r.offset, r.value.decode().rstrip()]
                   for tp, some in found.items() for r in some]
        if records:
            self.history.note(NAME, "poll", records=records)
            self.pending.update((tp, some[-1].offset + 1) for tp, some in found.items())
        ends = dict(self.pending)
        if not ends:
            return
        op = self.history.invoke(NAME, "commit", group=GROUP,
                                 offsets={name(tp): end for tp, end in ends.items()})
        try:
            await asyncio.wait_for(self.consumer.commit(ends), 10)
            self.history.ok(op)
            self.pending = {tp: end for tp, end in self.pending.items() if ends.get(tp) != end}
        except (KafkaError, asyncio.TimeoutError) as error:  # an earlier try may have arrived
            self.history.unknown(op, why=repr(error))

    async def run(self):
        stopping = asyncio.Event()
        self.make_consumer()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        while not stopping.is_set():
            try:
                await self.consumer.start()
                break
            except KafkaError as error:
                print(f"NOTE {error!r}", flush=True)
                await self.consumer.stop()
                await asyncio.sleep(0.2)
                self.make_consumer()
        self.consumer.subscribe([TOPIC], listener=self)
        while not stopping.is_set():
            try:
                await self.step()
            except KafkaError as error:
                print(f"NOTE {error!r}", flush=True)
                await asyncio.sleep(0.1)
        await asyncio.wait_for(self.consumer.stop(), 10)


def main():
    with open(os.environ["TG_HISTORY"], "a", encoding="utf-8", buffering=1) as file:
        asyncio.run(Member(Recorder(file, stamped=True)).run())


main()
