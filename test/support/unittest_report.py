"""Runs a unittest module and writes GoogleTest-shaped XML, so that each Python case counts as one.

    unittest_report.main(__name__)     # in place of unittest.main()

The report's path comes from TIDEGATE_REPORT; without it this is plain unittest.
"""
import os
import sys
import time
import unittest
from xml.sax.saxutils import quoteattr


class _Result(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cases = []

    def _add(self, test, inside=""):
        names = test.id().split(".")
        self.cases.append(f'<testcase classname={quoteattr(names[-2])} name={quoteattr(names[-1])} '
                          f'status="run" result="completed">{inside}</testcase>')

    def addSuccess(self, test):
        super().addSuccess(test)
        self._add(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._add(test, f"<failure message={quoteattr(str(err[1])[:500])}/>")

    addError = addFailure

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._add(test, f"<skipped message={quoteattr(reason)}/>")


def main(module):
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[module])
    began = time.monotonic()
    result = unittest.TextTestRunner(resultclass=_Result, verbosity=2).run(suite)
    report = os.environ.get("TIDEGATE_REPORT")
    if report:
        os.makedirs(os.path.dirname(report), exist_ok=True)
        with open(report, "w", encoding="utf-8") as file:
            file.write(f'<testsuites tests="{len(result.cases)}" time="{time.monotonic() - began:.3f}"><testsuite>')
            file.writelines(result.cases)
            file.write("</testsuite></testsuites>\n")
    sys.exit(not result.wasSuccessful())
