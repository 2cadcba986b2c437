"""kafka-consumer-groups and kafka-groups: every action of theirs, judged by what they print.

The groups: one whose members have read everything and left (classic), one that only the tool has committed
for (simple), and live ones."""
import csv
import io
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kafka_tools import (
    BOOTSTRAP,
    LiveMember,
    consume,
    consumer_groups,
    create,
    end_offsets,  # noqa: E402
    need_groups,
    offered,
    produce,
    suite,
    table,
    tool)
from suite import case, equal  # noqa: E402

OLD_MS = 1_600_000_000_000  # 2020-09-13
BETWEEN = "2021-01-01T00:00:00.000"


def groups_tool(*arguments):
    """{group: (type, protocol)} of kafka-groups --list."""
    text = tool("org.apache.kafka.tools.GroupsCommand", "--bootstrap-server", BOOTSTRAP, "--list",
                *arguments).stdout
    return {row["GROUP"]: (row["TYPE"], row["PROTOCOL"]) for row in table_of_groups(text)}


def table_of_groups(text):
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("GROUP"):
        return []
    # A simple group's protocol is empty, so columns are cut where the header's words begin.
    starts = [match.start() for match in re.finditer(r"\S+", lines[0])] + [None]
    names = lines[0].split()
    return [{name: line[a:b].strip() for name, a, b in zip(names, starts, starts[1:])} for line in lines[1:]]


def described(group, *arguments):
    text = consumer_groups("--describe", "--group", group, *arguments).stdout
    return table(text, "GROUP")


def current(group, topic):
    """{partition: committed offset}"""
    rows = [row for row in described(group) if row["TOPIC"] == topic and row["CURRENT-OFFSET"] != "-"]
    return {int(row["PARTITION"]): int(row["CURRENT-OFFSET"]) for row in rows}


def reset(group, *how, ok=True):
    """{(topic, partition): new offset} that the tool says it set, or would set."""
    text = consumer_groups("--reset-offsets", "--group", group, *how, ok=ok).stdout
    rows = table(text, "GROUP")
    assert all(row["GROUP"] == group for row in rows), text
    return {(row["TOPIC"], int(row["PARTITION"])): int(row["NEW-OFFSET"]) for row in rows}


def says(words, *arguments):
    """The tool refuses, with these words."""
    text = consumer_groups(*arguments, ok=False).text
    assert words in text, f"wanted {words!r} in {text[-600:]!r}"


def records_read(lines):
    return sum(line["count"] for line in lines if line["name"] == "records_consumed")


class Read:
    """A topic of two partitions, 60 records of 2020 and 40 of today, and a group that has read all."""
    def __init__(self, prefix):
        self.topic = create(prefix, 2, "--config", "retention.ms=-1")
        self.group = f"group-{self.topic}"
        produce(self.topic, 60, "--message-create-time", OLD_MS)
        self.old = end_offsets(self.topic)
        produce(self.topic, 40)
        self.ends = end_offsets(self.topic)
        equal((sum(self.ends.values()), min(self.old.values()) > 10), (100, True), "records")
        consume(self.topic, self.group, 100)

    def at(self, offsets):
        return {(self.topic, partition): offset for partition, offset in offsets.items()}


@case(limit_s=240)
def listed_by_state_and_type():
    need_groups()
    topic = create("list", 1)
    empty, live, simple = (f"{kind}-{topic}" for kind in ("empty", "live", "simple"))
    produce(topic, 5)
    consume(topic, empty, 5)
    consumer_groups("--reset-offsets", "--group", simple, "--topic", topic, "--to-earliest", "--execute")
    mine = {empty, live, simple}

    def names(*filters):
        return set(consumer_groups("--list", *filters).stdout.split()) & mine

    def states(*filters):
        rows = table(consumer_groups("--list", "--state", *filters).stdout, "GROUP")
        return {row["GROUP"]: row["STATE"] for row in rows if row["GROUP"] in mine}

    with LiveMember(topic, live):
        equal(names(), mine, "--list")
        equal(states(), {empty: "Empty", live: "Stable", simple: "Empty"}, "--state")
        equal(states("Stable"), {live: "Stable"}, "--state Stable")
        equal(states("empty"), {empty: "Empty", simple: "Empty"}, "--state empty")
        equal(set(states("stable,empty")), mine, "--state stable,empty")
        equal(states("Dead"), {}, "--state Dead")
        says("Invalid state list", "--list", "--state", "bogus")
        types = {
            row["GROUP"]: row["TYPE"]
            for row in table(consumer_groups("--list", "--type").stdout, "GROUP")
        }
        equal({group: types.get(group) for group in mine}, dict.fromkeys(mine, "Classic"), "--type")
        rows = table(consumer_groups("--list", "--type", "classic", "--state", "stable").stdout, "GROUP")
        equal([(row["GROUP"], row["TYPE"], row["STATE"]) for row in rows if row["GROUP"] in mine],
              [(live, "Classic", "Stable")], "--type classic --state stable")
        equal(names("--type", "consumer"), set(), "--type consumer")

        def kinds(*filters):
            return {group: kind for group, kind in groups_tool(*filters).items() if group in mine}

        consumers = {empty: ("Classic", "consumer"), live: ("Classic", "consumer")}
        equal(kinds(), consumers | {simple: ("Classic", "")}, "kafka-groups")
        equal(kinds("--group-type", "classic"), consumers | {simple: ("Classic", "")}, "--group-type classic")
        equal(kinds("--group-type", "consumer"), {}, "--group-type consumer")
        equal(kinds("--protocol", "consumer"), consumers, "--protocol consumer")
        equal(kinds("--protocol", "connect"), {}, "--protocol connect")
        equal(kinds("--consumer"), consumers | {simple: ("Classic", "")}, "--consumer")
        equal(kinds("--share"), {}, "--share")
        equal(kinds("--streams"), {}, "--streams")


@case(limit_s=240)
def describe_of_a_group_without_members():
    need_groups()
    read = Read("describe-empty")
    produce(read.topic, 30)
    ends = end_offsets(read.topic)
    done = consumer_groups("--describe", "--group", read.group)
    assert f"Consumer group '{read.group}' has no active members." in done.text, done.text
    rows = {int(row["PARTITION"]): row for row in table(done.stdout, "GROUP")}
    equal(set(rows), {0, 1}, "partitions")
    for partition, row in rows.items():
        equal((int(row["CURRENT-OFFSET"]), int(row["LOG-END-OFFSET"]), int(row["LAG"])),
              (read.ends[partition], ends[partition], ends[partition] - read.ends[partition]),
              f"partition {partition}")
        equal([row[column] for column in ("CONSUMER-ID", "HOST", "CLIENT-ID")], ["-"] * 3, "no member")
    equal(described(read.group, "--offsets"), list(rows.values()), "--offsets")
    equal(described(read.group, "--members"), [], "--members")
    (state, ) = described(read.group, "--state")
    equal((state["STATE"], state["#MEMBERS"]), ("Empty", "0"), "--state")
    assert "(1)" in state["COORDINATOR"] or state["COORDINATOR"].startswith("127.0.0.1:"), state
    # Several groups, and all of them, in one call.
    other = f"other-{read.topic}"
    consumer_groups("--reset-offsets", "--group", other, "--topic", read.topic, "--to-earliest", "--execute")
    both = consumer_groups("--describe", "--group", read.group, "--group", other).stdout
    equal({row["GROUP"] for row in table(both, "GROUP")}, {read.group, other}, "two groups")
    every = consumer_groups("--describe", "--all-groups").stdout
    assert {read.group, other} <= {row["GROUP"] for row in table(every, "GROUP")}, every
    says("GroupIdNotFoundException", "--describe", "--group", "no-such-group")
    for how in ("--members", "--state"):
        says("GroupIdNotFoundException", "--describe", "--group", "no-such-group", how)


def live_group(prefix, *arguments):
    topic = create(prefix, 3)
    group = f"group-{topic}"
    produce(topic, 90)
    return topic, group, LiveMember(topic, group, *arguments)


@case(limit_s=240)
def describe_of_a_live_group():
    need_groups()
    topic, group, member = live_group("describe-live", "--group-instance-id", "shop-1", "--session-timeout",
                                      10_000)
    with member:
        (row, ) = described(group, "--members")
        assert row["CONSUMER-ID"].startswith("shop-1-"), row
        equal((row["HOST"], row["#PARTITIONS"]), ("/127.0.0.1", "3"), "--members")
        text = consumer_groups("--describe", "--group", group, "--members", "--verbose").stdout
        assert re.search(rf"{topic}[:(]0,1,2", text), text
        (state, ) = described(group, "--state")
        equal((state["STATE"], state["#MEMBERS"], state["ASSIGNMENT-STRATEGY"]), ("Stable", "1", "range"),
              "--state")
        deadline = time.monotonic() + 60
        while sum(current(group, topic).values()) < 90 and time.monotonic() < deadline:
            time.sleep(0.5)
        rows = described(group)
        equal({int(r["PARTITION"]): int(r["CURRENT-OFFSET"]) for r in rows}, end_offsets(topic), "committed")
        equal({(r["LAG"], r["CONSUMER-ID"], r["HOST"])
               for r in rows}, {("0", row["CONSUMER-ID"], "/127.0.0.1")}, "rows")
        equal({r["CLIENT-ID"] for r in rows}, {row["CLIENT-ID"]}, "client id")

        # What a group with members refuses.
        says("Assignments can only be reset if the group", "--reset-offsets", "--group", group, "--topic",
             topic, "--to-earliest", "--execute")
        says("not empty", "--delete", "--group", group)
        says("subscribed to", "--delete-offsets", "--group", group, "--topic", topic)
        equal(current(group, topic), end_offsets(topic), "committed after the refusals")
        equal(len(described(group, "--members")), 1, "members after the refusals")

    # A static member that stops stays in its group until the session ends.
    deadline = time.monotonic() + 60
    while (state := described(group, "--state")[0]["STATE"]) != "Empty" and time.monotonic() < deadline:
        time.sleep(0.5)
    equal(state, "Empty", "after the session")


@case(limit_s=240)
def describe_of_a_live_group_of_the_consumer_protocol():
    need_groups()
    if not offered("ConsumerGroupHeartbeat", 68):
        raise suite.Skip("the server does not offer ConsumerGroupHeartbeat")
    topic, group, member = live_group("describe-848", "--group-protocol", "consumer")
    with member:
        (row, ) = described(group, "--members")
        equal((row["HOST"], row["#PARTITIONS"]), ("/127.0.0.1", "3"), "--members")
        (row, ) = table(
            consumer_groups("--describe", "--group", group, "--members", "--verbose").stdout, "GROUP")
        assert f"{topic}:0,1,2" in str(row), row
        (state, ) = described(group, "--state")
        equal((state["STATE"], state["#MEMBERS"], state["ASSIGNMENT-STRATEGY"]), ("Stable", "1", "uniform"),
              "--state")
        (state, ) = described(group, "--state", "--verbose")
        assert int(state["GROUP-EPOCH"]) >= 1, state
        equal(groups_tool("--group-type", "consumer").get(group), ("Consumer", "consumer"), "kafka-groups")
        says("Assignments can only be reset if the group", "--reset-offsets", "--group", group, "--topic",
             topic, "--to-earliest", "--execute")
        says("not empty", "--delete", "--group", group)
    consumer_groups("--delete", "--group", group)


@case(limit_s=400)
def reset_in_every_mode():
    need_groups()
    read = Read("reset")
    scope = ("--topic", read.topic)
    start, ends, old = {0: 0, 1: 0}, read.ends, read.old
    back_five = {p: o - 5 for p, o in ends.items()}
    steps = [  # each with its effect on the offsets that the step before left
        (("--to-earliest", ), start),
        (("--to-latest", ), ends),
        (("--shift-by", -5), back_five),
        (("--to-current", ), back_five),
        (("--shift-by", -1000), start),
        (("--shift-by", 1000), ends),
        (("--to-offset", 3), {
            0: 3,
            1: 3
        }),
        (("--to-offset", 1_000_000), ends),
        (("--to-datetime", BETWEEN), old),
        (("--to-datetime", "2020-01-01T00:00:00.000"), start),
        (("--to-datetime", "2020-01-01T00:00:00.000+02:00"), start),
        (("--by-duration", "P365D"), old),
        (("--by-duration", "PT0S"), ends),
    ]
    for how, wanted in steps:
        before = current(read.group, read.topic)
        equal(reset(read.group, *scope, *how, "--dry-run"), read.at(wanted), f"{how} planned")
        equal(current(read.group, read.topic), before, f"{how}: committed after the dry run")
        equal(reset(read.group, *scope, *how, "--execute"), read.at(wanted), f"{how} done")
        equal(current(read.group, read.topic), wanted, f"{how}: committed")
    done = consumer_groups("--reset-offsets", "--group", read.group, *scope, "--to-earliest")
    assert "No action will be performed" in done.text, done.text
    equal(current(read.group, read.topic), ends, "without --execute nothing happens")


@case(limit_s=300)
def reset_of_some_partitions_topics_and_groups():
    need_groups()
    read = Read("reset-some")
    ends, other = read.ends, create("reset-other", 1)
    produce(other, 10)
    equal(reset(read.group, "--topic", f"{read.topic}:1", "--to-offset", 7, "--execute"),
          {(read.topic, 1): 7}, "one partition")
    equal(current(read.group, read.topic), {0: ends[0], 1: 7}, "committed")
    # A topic that the group never read gets its offset too, and --all-topics then covers both.
    equal(reset(read.group, "--topic", other, "--to-offset", 4, "--execute"), {(other, 0): 4},
          "a topic not read before")
    equal(reset(read.group, "--all-topics", "--to-earliest", "--execute"), {
        (read.topic, 0): 0,
        (read.topic, 1): 0,
        (other, 0): 0
    }, "--all-topics")
    equal(reset(read.group, "--topic", read.topic, "--topic", other, "--to-latest", "--execute"),
          read.at(ends) | {(other, 0): 10}, "two topics")
    # A group that nobody was in comes into being with its offsets.
    fresh = f"fresh-{read.topic}"
    equal(reset(fresh, "--topic", read.topic, "--to-offset", 2, "--execute"), read.at({
        0: 2,
        1: 2
    }), "a fresh group")
    equal(current(fresh, read.topic), {0: 2, 1: 2}, "of the fresh group")
    text = consumer_groups("--reset-offsets", "--group", read.group, "--group", fresh, "--topic", read.topic,
                           "--to-offset", 1, "--execute").stdout
    equal({(row["GROUP"], row["NEW-OFFSET"])
           for row in table(text, "GROUP")}, {(read.group, "1"), (fresh, "1")}, "two groups")
    equal(records_read(consume(read.topic, fresh, 98)), 98, "reads on from 1 each")
    equal(current(fresh, read.topic), ends, "after that")


@case(limit_s=300)
def reset_from_an_exported_file():
    need_groups()
    read = Read("reset-file")

    def export(*how, **options):
        return consumer_groups("--reset-offsets", "--group", read.group, "--topic", read.topic, *how,
                               "--export", **options).stdout

    plan = export("--to-offset", 5, "--dry-run")
    rows = sorted([topic, int(partition), int(offset)]
                  for topic, partition, offset in csv.reader(io.StringIO(plan.strip())))
    equal(rows, [[read.topic, 0, 5], [read.topic, 1, 5]], "--export")
    equal(current(read.group, read.topic), read.ends, "committed after the export")
    path = Path(f"{read.topic}.csv")
    path.write_text(plan)
    equal(reset(read.group, "--from-file", path, "--dry-run"), read.at({0: 5, 1: 5}), "--from-file planned")
    equal(reset(read.group, "--from-file", path, "--execute"), read.at({0: 5, 1: 5}), "--from-file done")
    equal(current(read.group, read.topic), {0: 5, 1: 5}, "committed")
    # Of several groups, a file has a fourth column.
    other = f"other-{read.topic}"
    path.write_text(f'"{read.group}","{read.topic}",0,1\n"{other}","{read.topic}",1,2\n')
    text = consumer_groups("--reset-offsets", "--group", read.group, "--group", other, "--from-file", path,
                           "--execute").stdout
    equal({(row["GROUP"], row["PARTITION"], row["NEW-OFFSET"])
           for row in table(text, "GROUP")}, {(read.group, "0", "1"), (other, "1", "2")},
          "--from-file of two groups")
    equal((current(read.group, read.topic), current(other, read.topic)), ({0: 1, 1: 5}, {1: 2}), "committed")
    # What was exported as executed is the same text.
    equal(export("--to-offset", 5, "--execute"), plan, "--export --execute")
    equal(current(read.group, read.topic), {0: 5, 1: 5}, "committed by it")


@case(limit_s=240)
def delete_offsets():
    need_groups()
    read = Read("delete-offsets")
    rows = table(
        consumer_groups("--delete-offsets", "--group", read.group, "--topic", f"{read.topic}:0").stdout,
        "TOPIC")
    equal([(row["TOPIC"], row["PARTITION"], row["STATUS"]) for row in rows],
          [(read.topic, "0", "Successful")], "one partition")
    equal(current(read.group, read.topic), {1: read.ends[1]}, "left")
    done = consumer_groups("--delete-offsets", "--group", read.group, "--topic", "no-such-topic")
    assert re.search(r"no-such-topic\s+\S+\s+Error", done.text), done.text
    consumer_groups("--delete-offsets", "--group", read.group, "--topic", read.topic)
    equal(current(read.group, read.topic), {}, "after the whole topic")
    done = consumer_groups("--delete-offsets", "--group", "no-such-group", "--topic", read.topic)
    assert "not found" in done.text or "does not exist" in done.text, done.text
    # The group goes on where it is told to: earliest.
    equal(records_read(consume(read.topic, read.group, 100)), 100, "read again")


@case(limit_s=240)
def delete_groups():
    need_groups()
    read = Read("delete-groups")
    other = f"other-{read.topic}"
    consumer_groups("--reset-offsets", "--group", other, "--topic", read.topic, "--to-earliest", "--execute")
    done = consumer_groups("--delete", "--group", read.group, "--group", "no-such-group")
    assert f"'{read.group}'" in done.text and "GroupIdNotFoundException" in done.text, done.text
    names = set(consumer_groups("--list").stdout.split())
    assert read.group not in names and other in names, names
    says("GroupIdNotFoundException", "--describe", "--group", read.group)
    equal(reset(read.group, "--topic", read.topic, "--to-current", "--dry-run"), read.at(read.ends),
          "no offset is left")
    done = consumer_groups("--delete", "--all-groups")
    assert f"'{other}'" in done.text and "successful" in done.text, done.text
    equal(consumer_groups("--list").stdout.split(), [], "after --all-groups")


suite.main()
