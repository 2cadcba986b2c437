"""Kafka Streams: a word count over a repartition topic and a compacted changelog, at least once, on one
instance, then two, then the other one alone; and its reset tool."""
import collections
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from programs import BOOTSTRAP, Program, topic_configs, values, wait_for, work_path  # noqa: E402
from kafka_tools import consumer_groups, create, end_offsets, suite, table, tool, topics  # noqa: E402
from suite import case, equal  # noqa: E402

WORDS = "tide gate sluice weir lock basin quay mole pier jetty dune marsh estuary delta lagoon fjord".split()


def feed(topic, count, seed, expected):
    """Lines of random words with keys, so that they spread over the partitions."""
    rng = random.Random(seed)
    text = []
    for number in range(count):
        line = rng.choices(WORDS, k=rng.randint(1, 6))
        expected.update(line)
        text.append(f"{number};{' '.join(line)}\n")
    tool("org.apache.kafka.tools.ConsoleProducer",
         "--topic",
         topic,
         "--bootstrap-server",
         BOOTSTRAP,
         "--reader-property",
         "parse.key=true",
         "--reader-property",
         "key.separator=;",
         stdin="".join(text))


def caught_up(application, topic, records):
    """Whether the application has committed all that the topic and its repartition topic hold."""
    rows = table(consumer_groups("--describe", "--group", application, ok=False).stdout, "GROUP")
    done = sum(
        int(row["CURRENT-OFFSET"]) for row in rows if row["TOPIC"] == topic and row["CURRENT-OFFSET"] != "-")
    return done == records and all(row["LAG"] == "0" for row in rows if row["CURRENT-OFFSET"] != "-")


def emitted(output, words):
    return sum(end_offsets(output).values()) >= words


@case(limit_s=400)
def word_count():
    source, output = create("words", 3), create("counts", 1)
    application = f"count-{source}"
    expected = collections.Counter()
    feed(source, 300, 1, expected)

    def instance(number):
        return Program(f"{application}-{number}", "WordCount", application, source, output,
                       work_path(f"{application}-{number}"))

    with instance(1) as first:
        wait_for("the first half",
                 lambda: emitted(output, expected.total()) and caught_up(application, source, 300), first)
        repartition, changelog = (f"{application}-{name}"
                                  for name in ("by-word-repartition", "counts-changelog"))
        equal(
            topic_configs(repartition).get("cleanup.policy"), "delete",
            "cleanup.policy of the repartition topic")
        equal(topic_configs(changelog).get("cleanup.policy"), "compact", "cleanup.policy of the changelog")

        def purged():
            out = tool("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", BOOTSTRAP, "--topic",
                       repartition, "--time", "earliest").stdout
            return sum(int(offset) for offset in re.findall(r":\d+:(\d+)", out)) == expected.total()

        wait_for("records of the repartition topic are deleted once they are read", purged, first)
        # Half of the tasks move, with their counts: the second instance has them from the changelog.
        with instance(2) as second:

            def both():
                rows = table(
                    consumer_groups("--describe", "--group", application, "--members", ok=False).stdout,
                    "GROUP")
                return len(rows) == 2 and all(int(row["#PARTITIONS"]) > 0 for row in rows)

            wait_for("two instances share the partitions", both, first, second)
            feed(source, 300, 2, expected)
            wait_for("the second half",
                     lambda: emitted(output, expected.total()) and caught_up(application, source, 600), first,
                     second)
            assert first.stop() in (0, 143) and "CLOSED" in first.tail(), first.tail()
            feed(source, 200, 3, expected)
            wait_for("the rest, on the second instance alone",
                     lambda: emitted(output, expected.total()) and caught_up(application, source, 800),
                     second)
            assert second.stop() in (0, 143) and "CLOSED" in second.tail(), second.tail()
    check(output, expected)
    reset(application, source, repartition, changelog)


def check(output, expected):
    """Both instances were stopped cleanly: each word was counted once, and its counts are 1, 2, 3, ..."""
    equal(end_offsets(output), {0: expected.total()}, "updates")
    counts = collections.defaultdict(list)
    for text in values(output, expected.total()):
        word, count = text.split("=")
        counts[word].append(int(count))
    equal({word: seen[-1] for word, seen in counts.items()}, dict(expected), "last counts")
    for word, seen in counts.items():
        equal(seen, list(range(1, expected[word] + 1)), f"counts of {word}")


def reset(application, source, repartition, changelog):
    """kafka-streams-application-reset puts the input back to its start and removes the internal topics."""
    def gone():
        return not table(
            consumer_groups("--describe", "--group", application, "--members", ok=False).stdout, "GROUP")

    wait_for("no members", gone)
    tool("org.apache.kafka.tools.StreamsResetter", "--bootstrap-server", BOOTSTRAP, "--application-id",
         application, "--input-topics", source, "--force")

    def offsets():
        rows = table(consumer_groups("--describe", "--group", application, ok=False).stdout, "GROUP")
        return [row["CURRENT-OFFSET"] for row in rows if row["TOPIC"] == source]

    equal(wait_for("offsets after the reset", offsets), ["0", "0", "0"], "offsets after the reset")
    left = set(topics("--list").stdout.split())
    assert source in left and not {repartition, changelog} & left, left


suite.main()
