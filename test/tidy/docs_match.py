#!/usr/bin/env python3
"""A page that is made from a table equals what the binary prints: docs_match.py BINARY PAGE FILE."""
import difflib
import subprocess
import sys

binary, page, path = sys.argv[1:4]
printed = subprocess.run([binary, "docs", page], capture_output=True, text=True, check=True).stdout
try:
    committed = open(path, encoding="utf-8").read()
except FileNotFoundError:
    committed = ""
if printed and printed == committed:
    sys.exit(0)
sys.stdout.writelines(difflib.unified_diff(committed.splitlines(True), printed.splitlines(True), path, "printed"))
print(f"{path} is out of date: write it anew with `tidegate docs {page} > {path}`")
sys.exit(1)
