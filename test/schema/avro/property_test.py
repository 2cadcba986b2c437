#!/usr/bin/env python3
"""Random Avro schemas with good and with damaged data: our verdict against fastavro's.

    property_test.py PROGRAM [--count N] [--seed S] [--report FILE]

Three datums a schema: one encoded by random_avro, what fastavro makes of it when it writes it again, and a
damaged one. What fastavro writes has to come back from its columns, unless some of it is in a column of JSON text.
fastavro's verdict is "read, to the last byte". It is laxer than the specification in the places
that LAX names; for everything else both have to say the same. The test command's seed is always the same, so that
a rare quirk of the peer does not fail somebody else's change; `--seed random` looks further.
"""
import argparse
import io
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients"))

from harness import deps, report  # noqa: E402

NAME = "avro_property_test"
# Our reasons that fastavro has no word for: it takes any byte but 0 for true, numbers of any size, Python's
# indexes from the end, reads on over a negative length, looks at no block's size, cannot negate the least
# count, and has no limits (which is also why it is not asked about these: it would count to 2^60).
LAX = re.compile(r"neither 0 nor 1|does not fit 32 bits|longer than 64 bits|there is no (symbol|branch) -|"
                 r"a length is negative|a block (has another size|has no such|is larger)|take no bytes|nested too deeply")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", default="20261123", help="a number, or random")
    parser.add_argument("--report", type=Path, default=None)
    return parser.parse_args()


def finish(options, result):
    for case in result.cases:
        print(report.show(result.name, case))
    if options.report:
        report.write_xml(options.report, result)
    sys.exit(1 if result.count("FAIL") else 0)


def use_venv(options):
    if os.environ.get("TG_IN_VENV") == "1":
        return
    try:
        python = deps.python_venv("schema-requirements.txt")
    except deps.Missing as missing:
        result = report.SuiteResult(NAME)
        result.add("SKIP", "suite", missing)
        finish(options, result)
    os.environ["TG_IN_VENV"] = "1"
    os.execv(python, [str(python), *sys.argv])


def read_by_peer(fastavro, parsed, wire):
    """(value, "") or (None, why it cannot be read)."""
    stream = io.BytesIO(wire)
    try:
        value = fastavro.schemaless_reader(stream, parsed, return_record_name=True)
    except Exception as error:  # whatever it says, it did not read it
        return None, f"{type(error).__name__}: {error}"
    return value, "" if stream.tell() == len(wire) else f"read {stream.tell()} of {len(wire)} bytes"


def written_by_peer(fastavro, parsed, value):
    """None where a value does not tell its branch of a union, or a NaN does not fit its float."""
    out = io.BytesIO()
    try:
        fastavro.schemaless_writer(out, parsed, value)
    except Exception:
        return None
    return out.getvalue()


def make_questions(fastavro, rng, count):
    """(what it is, schema for us, fastavro's schema, bytes)."""
    import random_avro
    questions = []
    for _ in range(count):
        schema = random_avro.Schema(rng)
        parsed = fastavro.parse_schema(schema.json)
        text = json.dumps(schema.json).replace('"x-', '"')
        wire = schema.encoded()
        questions.append(("good", text, parsed, wire))
        questions.append(("damaged", text, parsed, random_avro.damaged(rng, wire)))
        value, problem = read_by_peer(fastavro, parsed, wire)
        again = None if problem else written_by_peer(fastavro, parsed, value)
        if again is not None:
            questions.append(("peer's", text, parsed, again))
    return questions


def main():
    options = arguments()
    use_venv(options)
    import fastavro
    begin = time.monotonic()
    seed = random.SystemRandom().randrange(2**32) if options.seed == "random" else int(options.seed)
    print(f"seed {seed}, {options.count} schemas, fastavro {fastavro.__version__}", flush=True)
    questions = make_questions(fastavro, random.Random(seed), options.count)
    lines = "".join(f"{text}\t{wire.hex()}\n" for _, text, _, wire in questions)
    told = subprocess.run([options.program], input=lines, capture_output=True, text=True, check=True)
    verdicts = told.stdout.splitlines()
    assert len(verdicts) == len(questions), f"{len(verdicts)} answers to {len(questions)} questions"

    wrong, tally = {"good": [], "damaged": [], "peer's": [], "columns": []}, {}
    for (what, text, parsed, wire), verdict in zip(questions, verdicts):
        ours = verdict.startswith("good, ")
        if ours:
            kept = f"{what}, columns {verdict[6:]}"
            tally[kept] = tally.get(kept, 0) + 1
            if verdict == "good, lost" or (what == "peer's" and verdict == "good, longer"):
                wrong["columns"].append(f"{verdict}; {text} {wire.hex()}")
        if not ours and what == "damaged" and LAX.search(verdict):
            tally["damaged, stricter than the peer"] = tally.get("damaged, stricter than the peer", 0) + 1
            continue
        _, problem = read_by_peer(fastavro, parsed, wire)
        key = f"{what}, {'taken' if ours else 'refused'} by both"
        tally[key] = tally.get(key, 0) + 1
        if ours != (not problem) or (what != "damaged" and not ours):
            wrong[what].append(f"ours: {verdict}; peer: {problem or 'good'}; {text} {wire.hex()}")
    print(", ".join(f"{count} {key}" for key, count in sorted(tally.items())))

    result = report.SuiteResult(NAME)
    for what, problems in wrong.items():
        case = what.replace("'", "").replace(" ", "_") + "_data"
        for problem in problems[:3]:
            print(f"seed {seed}: {problem[:2000]}")
        result.add("FAIL" if problems else "PASS", case, f"{len(problems)} (seed {seed})" if problems else "")
    # The damage has to be of both kinds, or nothing was compared.
    least = options.count // 50
    few = [key for key in ("damaged, taken by both", "damaged, refused by both", "peer's, taken by both",
                            "peer's, columns proved", "good, columns longer")
           if tally.get(key, 0) < least]
    result.add("FAIL" if few else "PASS", "enough_of_each", f"fewer than {least}: {few} (seed {seed})" if few else "")
    result.seconds = time.monotonic() - begin
    finish(options, result)


if __name__ == "__main__":
    main()
