#!/usr/bin/env python3
"""Sums the test reports of one or more build directories.

Prints one count line a label and, last, the plain line `N passed, N failed, N skipped`. Cases come from
the GoogleTest-shaped XML that each program writes to reports/<label>.<program>.xml; ctest's own report
says which programs ran and how they ended, so a program that crashed before it wrote its report (or
failed without a failed case) counts as one failure. What a passed case measured is printed. Exit status 1 when anything failed or nothing ran.
"""
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def case_counts(report):
    """(passed, failed, skipped, lines about what did not pass or measured something) of one GoogleTest-shaped file."""
    passed = failed = skipped = 0
    notes = []
    for case in ET.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            notes.append(f"failed: {name}")
        elif skip is not None or case.get("result") == "skipped" or case.get("status") == "notrun":
            if case.get("result") == "suppressed" or case.get("status") == "notrun":
                continue  # left out by a filter
            skipped += 1
            lines = (skip.get("message") or skip.text or "").strip().splitlines() if skip is not None else []
            # GoogleTest puts file and line in front of what the test said.
            reason = " ".join(lines[1:] or lines) or "no reason given"
            notes.append(f"skipped: {reason}: {name}")
        else:
            passed += 1
            if measured := (case.findtext("system-out") or "").strip():
                notes.append(f"measured: {name}: {measured}")
    return passed, failed, skipped, notes


def print_notes(notes):
    """Failures and figures one a line; skips one line a reason, since a suite over many engines repeats itself."""
    skips = {}
    for note in notes:
        label, kind, *rest = note.split(": ", 2)
        if kind == "skipped":
            reason, _, name = rest[0].rpartition(": ")
            skips.setdefault((label, reason), []).append(name)
        else:
            print(note)
    for (label, reason), names in skips.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        print(f"{label}: skipped: {names[0]}{more}: {reason}")


def labels_of(build):
    listing = subprocess.run(["ctest", "--show-only=json-v1"], cwd=build, capture_output=True, text=True)
    labels = {}
    for test in json.loads(listing.stdout or '{"tests":[]}')["tests"]:
        for prop in test.get("properties", []):
            if prop["name"] == "LABELS":
                labels[test["name"]] = prop["value"][0]
    return labels


def main():
    totals = {}
    notes = []
    for build in map(Path, sys.argv[1:]):
        summary = build / "ctest.xml"
        if not summary.exists():
            notes.append(f"failed: {build.name}: ctest wrote no report")
            totals.setdefault("build", [0, 0, 0])[1] += 1
            continue
        labels = labels_of(build)
        for entry in ET.parse(summary).getroot().iter("testcase"):
            program = entry.get("name")
            label = labels.get(program, "other")
            total = totals.setdefault(label, [0, 0, 0])
            report = build / "reports" / f"{label}.{program}.xml"
            ended_well = entry.get("status") == "run" and entry.find("failure") is None
            counts = None
            if report.exists():
                try:
                    counts = case_counts(report)
                except ET.ParseError as error:
                    notes.append(f"failed: {program}: unreadable report: {error}")
                    ended_well = False
            passed, failed, skipped, remarks = counts or (0, 0, 0, [])
            if counts is None and ended_well:
                if entry.find("skipped") is not None:
                    skipped = 1
                    remarks = [f"skipped: no reason given: {program}"]
                else:
                    passed = 1
            if not ended_well and failed == 0:
                failed = 1
                remarks = remarks + [f"failed: {program} ended badly (crash, time-out or non-zero exit)"]
            for i, n in enumerate((passed, failed, skipped)):
                total[i] += n
            notes += [f"{label}: {remark}" for remark in remarks]
    print_notes(notes)
    for label in sorted(totals):
        print("{}: {} passed, {} failed, {} skipped".format(label, *totals[label]))
    passed, failed, skipped = (sum(t[i] for t in totals.values()) for i in range(3))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
