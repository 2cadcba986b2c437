"""Results of suites: the lines a suite prints, and the XML report in GoogleTest's shape."""
import re
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

LINE = re.compile(r"^(PASS|FAIL|SKIP) ([^\s:]+)(?:: ?(.*))?$")


@dataclass
class Case:
    verdict: str
    name: str
    why: str = ""
    seconds: float = 0.0


@dataclass
class SuiteResult:
    name: str
    cases: list = field(default_factory=list)
    seconds: float = 0.0

    def add(self, verdict, name, why="", seconds=0.0):
        case = Case(verdict, name, " ".join(str(why).split()), seconds)
        self.cases.append(case)
        return case

    def count(self, verdict):
        return sum(case.verdict == verdict for case in self.cases)


def parse(line):
    """(verdict, name, why) of a result line, else None."""
    match = LINE.match(line)
    return (match[1], match[2], match[3] or "") if match else None


def show(suite, case):
    tail = f": {case.why}" if case.why else ""
    return f"{case.verdict} {suite}.{case.name}{tail}"


def write_xml(path, result):
    attributes = (f'tests="{len(result.cases)}" failures="{result.count("FAIL")}" disabled="0" '
                  f'skipped="{result.count("SKIP")}" errors="0" time="{result.seconds:.3f}"')
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites {attributes} name="AllTests">',
             f'  <testsuite name={quoteattr(result.name)} {attributes}>']
    for case in result.cases:
        outcome = {"SKIP": "skipped"}.get(case.verdict, "completed")
        head = (f'    <testcase name={quoteattr(case.name)} status="run" result="{outcome}" '
                f'time="{case.seconds:.3f}" classname={quoteattr(result.name)}')
        child = {"FAIL": "failure", "SKIP": "skipped"}.get(case.verdict)
        if child:
            lines.append(f"{head}><{child} message={quoteattr(case.why)}/></testcase>")
        elif case.why:  # what was measured
            lines.append(f"{head}><system-out>{escape(case.why)}</system-out></testcase>")
        else:
            lines.append(head + "/>")
    lines += ["  </testsuite>", "</testsuites>", ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
