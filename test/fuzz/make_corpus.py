#!/usr/bin/env python3
"""Writes the seeds of the message targets (corpus/requests, responses, frame_header) from the golden
vectors: for each message its lowest and highest version, and of the highest one with unknown tags.
Run it after test/golden/vectors.jsonl.gz has changed."""
import gzip
import json
import pathlib

here = pathlib.Path(__file__).resolve().parent


def header_size(frame, request, flexible_header):
    size = 4
    if request:
        client_id = int.from_bytes(frame[8:10], "big", signed=True)
        size = 10 + max(client_id, 0)
    return size + (1 if flexible_header else 0)


def flexible_from(schema):
    out = {}
    for line in schema.splitlines():
        if not line.startswith(" "):
            words = line.split()
            first = words[-1].rstrip("+")
            out[words[0]] = (int(words[2]), None if first == "never" else int(first))
    return out


def main():
    facts = flexible_from((here / "../golden/schema.txt").read_text())
    chosen = {}
    with gzip.open(here / "../golden/vectors.jsonl.gz", "rt") as lines:
        for line in lines:
            vector = json.loads(line)
            name, version, unknown = vector["message"], vector["version"], vector.get("unknown_tags", False)
            versions = chosen.setdefault(name, {})
            # The longest vector says most.
            best = versions.get((version, unknown))
            if best is None or len(vector["frame"]) > len(best["frame"]):
                versions[(version, unknown)] = vector
    for name, versions in sorted(chosen.items()):
        request = name.endswith("Request")
        key, flexible = facts[name]
        lowest, highest = min(versions)[0], max(versions)[0]
        for wanted in sorted({(lowest, False), (highest, False), (highest, True)} & set(versions)):
            version = wanted[0]
            frame = bytes.fromhex(versions[wanted]["frame"])
            flexible_header = flexible is not None and version >= flexible and (request or key != 18)
            body = frame[header_size(frame, request, flexible_header):]
            title = f"{name}_v{version}{'_tags' if wanted[1] else ''}"
            directory = here / "corpus" / ("requests" if request else "responses")
            directory.mkdir(parents=True, exist_ok=True)
            (directory / title).write_bytes(bytes([key, version]) + body)
            if key in (3, 12, 18) and not wanted[1]:
                directory = here / "corpus/frame_header"
                directory.mkdir(parents=True, exist_ok=True)
                (directory / title).write_bytes(frame[:64])


main()
