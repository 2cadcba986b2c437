#!/usr/bin/env python3
"""House rules that a compiler does not check. Prints every breach as file:line: reason; exit 1 if any.

Rules: which third-party headers and which modules a folder may include; calls that belong to few
modules (clock, sleep, random, thread); no printing; every header begins with #pragma once and a
comment that says what it is for.
"""
import re
import sys
from pathlib import Path

# Modules each may include, besides itself and what those may include in turn.
DIRECT = {
    "base": [],
    "runtime": ["base"],
    "protocol": ["base"],
    "producers": ["protocol"],
    "groups": ["protocol"],
    "security": ["protocol"],
    "schema": ["protocol", "runtime"],
    "storage": ["protocol", "runtime"],
    "storage/memory": ["storage"],
    "storage/embedded": ["storage"],
    "storage/seaweedmq": ["storage"],
    "broker": ["storage", "producers", "groups", "security", "schema"],
    "api": ["broker"],
    "server": ["api"],
    "admin": ["broker"],
    "app": ["server", "admin", "storage/memory", "storage/embedded", "storage/seaweedmq"],
}
# Third-party headers stay in one folder each. task.h is the one exception that the conventions name.
HOMES = [
    (re.compile(r'<boost/beast'), {"admin"}),
    (re.compile(r'<boost/asio'), {"runtime", "server", "admin", "app", "storage/seaweedmq"}),
    (re.compile(r'<prometheus/'), {"admin"}),
    (re.compile(r'<rocksdb/'), {"storage/embedded"}),
    (re.compile(r'<grpc|"seaweedfs/'), {"storage/seaweedmq"}),
    (re.compile(r'<google/protobuf/'), {"storage/seaweedmq", "schema"}),
    (re.compile(r'<curl/'), {"schema", "storage/seaweedmq"}),
    (re.compile(r'<(zlib|zstd|lz4frame|lz4|snappy|snappy-c)\.h>'), {"protocol"}),
    (re.compile(r'<(isa-l|crc\.h)'), {"protocol"}),
    (re.compile(r'<(yaml-cpp/|CLI/)'), {"app"}),
    (re.compile(r'<nlohmann/'), {"admin", "app", "schema", "protocol", "storage/seaweedmq"}),
]
TIME_AND_CHANCE = {"base", "runtime", "app"}
BANNED = [
    (re.compile(r'std::chrono::(steady|system|high_resolution)_clock::now|\bclock_gettime\b|\bgettimeofday\b|(?<![\w:])time\('),
     TIME_AND_CHANCE, "reads the clock: take a Clock&"),
    (re.compile(r'std::this_thread::sleep|\b(u|nano)?sleep\('), TIME_AND_CHANCE, "sleeps"),
    (re.compile(r'std::random_device|\bs?rand\('), TIME_AND_CHANCE, "makes its own randomness: take an Rng&"),
    (re.compile(r'std::j?thread\b(?!::id)|\bpthread_create\b'), TIME_AND_CHANCE, "starts a thread"),
    (re.compile(r'std::(cout|cerr|clog)\b|(?<![\w.>])(?<!\w::)(std::|::)?(v?f?printf|f?puts|f?putc|putchar|fwrite)\('
                r'|std::v?print(ln)?\b|\bSTD(OUT|ERR)_FILENO\b|\b(fmt|spdlog::fmt_lib)::print(ln)?\('), {"app"}, "prints: use spdlog"),
]
COMMENT = re.compile(r'//.*|"(?:\\.|[^"\\])*"')


def module_of(path, root):
    parts = path.relative_to(root).parts
    parts = parts[2:] if parts[0] == "include" else parts[1:]
    if parts[0] == "storage" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def closure(module):
    seen, todo = set(), [module]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += DIRECT.get(at, [])
    return seen


def included_module(target):
    parts = target.split("/")[1:]
    if parts[0] == "storage" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def check(path, root):
    module = module_of(path, root)
    text = path.read_text()
    lines = text.splitlines()
    if path.suffix == ".h":
        if not lines or not lines[0].startswith("//"):
            yield 1, "a header opens with a comment that says what it is for"
        if "#pragma once" not in text:
            yield 1, "no #pragma once"
    if module not in DIRECT:
        yield 1, f"module {module} is not in the table of {Path(__file__).name}"
        return
    allowed = closure(module)
    for number, line in enumerate(lines, 1):
        include = re.match(r'\s*#include\s+(["<].*[">])', line)
        if include:
            target = include.group(1)
            ours = re.match(r'"(tidegate/[^"]+)"', target)
            if ours and included_module(ours.group(1)) not in allowed:
                yield number, f"{module} includes {target}: arrows point down only"
            for pattern, homes in HOMES:
                if pattern.match(target) and module not in homes and path.name != "task.h":
                    # Contracts may name Asio types that come through task.h, no header of their own.
                    yield number, f"{target} stays in {', '.join(sorted(homes))}"
            continue
        code = COMMENT.sub("", line)
        for pattern, homes, why in BANNED:
            if module not in homes and pattern.search(code):
                yield number, why


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    breaches = 0
    files = sorted(p for top in ("src", "include") for p in (root / top).rglob("*") if p.suffix in (".h", ".cc"))
    for path in files:
        for line, why in check(path, root):
            print(f"{path.relative_to(root)}:{line}: {why}")
            breaches += 1
    print(f"{len(files)} files, {breaches} breaches")
    return 1 if breaches or not files else 0


if __name__ == "__main__":
    sys.exit(main())
