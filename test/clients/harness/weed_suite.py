"""What suites share that run on a real SeaweedFS, most of them on that alone: options, the interpreter, cases one by one, the report."""
import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

from . import deps, report, seaweed


def parse_arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=deps.SOURCE_DIR / "build/release/tidegate")
    parser.add_argument("--weed", action="store_true", help="on a real SeaweedFS: all there is to do")
    parser.add_argument("--case", default="", help="only the cases whose name contains this")
    parser.add_argument("--report-dir", type=Path, default=deps.SOURCE_DIR / "build" / "release" / "reports")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    return parser.parse_args()


def _finish(options, result):
    for case in result.cases:
        print(report.show(result.name, case))
    suite = f"weed.weed_{result.name}" if options.weed else f"client-compat.{result.name}"
    report.write_xml(options.report_dir / f"{suite}.xml", result)
    return 1 if result.count("FAIL") else 0


def enter(name, options, requirements, tools=(), on_fake=False):
    """The clients live in a virtual environment: goes on with its interpreter. Ends the process with a skip when
    something is missing."""
    if os.environ.get("TG_IN_VENV") == "1":
        return
    if options.weed and not seaweed.real_binary():
        sys.exit(f"{name}: TIDEGATE_WEED names no weed binary")
    result = report.SuiteResult(name)
    try:
        if not options.weed and not on_fake:
            raise deps.Missing("needs a real SeaweedFS: TIDEGATE_WEED=/path/to/weed ./dev test --weed")
        for tool in tools:
            deps.tool(tool)
        python = deps.python_venv(requirements)
    except deps.Missing as missing:
        result.add("SKIP", "suite", missing)
        sys.exit(_finish(options, result))
    os.environ["TG_IN_VENV"] = "1"
    os.execv(python, [str(python), *sys.argv])


class Suite:
    def __init__(self, name, options):
        self.options, self.result = options, report.SuiteResult(name)
        self.work = Path(tempfile.mkdtemp(prefix=f"tidegate-{name}-"))
        self.begin = time.monotonic()

    @contextmanager
    def case(self, name):
        """Its errors are its verdict; the other cases go on."""
        begin, verdict, why = time.monotonic(), "PASS", ""
        try:
            yield
        except deps.Missing as missing:
            verdict, why = "SKIP", missing
        except Exception as error:
            traceback.print_exc()
            verdict, why = "FAIL", f"{type(error).__name__} {error}"[:600]
        seconds = time.monotonic() - begin
        self.result.add(verdict, name, why, seconds)
        print(f"{name}: {seconds:.1f} s", flush=True)

    def run(self, cases, call, after=lambda: None):
        """call(function) for each case that was asked for."""
        for function in (one for one in cases if self.options.case in one.__name__):
            with self.case(function.__name__):
                try:
                    call(function)
                finally:
                    after()

    def finish(self):
        """The exit code."""
        self.result.seconds = time.monotonic() - self.begin
        code = _finish(self.options, self.result)
        if code or self.options.keep:
            print(f"logs kept in {self.work}")
        else:
            shutil.rmtree(self.work, ignore_errors=True)
        return code
