"""Installs what a suite needs into build/client-deps, once, with pinned versions.

Each function returns a path that is ready to use. A toolchain that is not on this machine, or a
registry that cannot be reached, raises Missing: the harness prints it as a SKIP with the reason.
A suite whose own source does not compile raises BuildFailed, which counts as a failure.
Directories are named after the hash of their pins, so a changed pin installs anew.
"""
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CLIENTS_DIR = Path(__file__).resolve().parent.parent
SOURCE_DIR = CLIENTS_DIR.parent.parent
DEPS_DIR = Path(os.environ.get("TIDEGATE_CLIENT_DEPS", SOURCE_DIR / "build" / "client-deps"))
INSTALL_TIMEOUT_S = 600


class Missing(Exception):
    """What a suite needs is not here; str() is the reason that gets printed."""


class BuildFailed(Exception):
    """The suite's own source does not compile: a failure, never a skip."""


def tool(name):
    path = shutil.which(name)
    if not path:
        raise Missing(f"{name} is not installed")
    return path


def _digest(*parts):
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part if isinstance(part, bytes) else str(part).encode())
        sha.update(b"\0")
    return sha.hexdigest()[:12]


def _run(command, what, error=Missing, **kwargs):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=INSTALL_TIMEOUT_S, text=True, **kwargs)
    except subprocess.TimeoutExpired:
        raise Missing(f"{what}: no end after {INSTALL_TIMEOUT_S} s") from None
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise error(f"{what} failed: {' | '.join(lines[-3:])[:400]}")


def _once(name, fill):
    """Runs fill(directory) unless an earlier, finished run left its marker; safe across processes."""
    DEPS_DIR.mkdir(parents=True, exist_ok=True)
    target = DEPS_DIR / name
    with open(DEPS_DIR / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / ".complete").exists():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            fill(target)
            (target / ".complete").touch()
    return target


def python_venv(pins_file=None):
    """A virtual environment with what python/PINS_FILE names (or the environment's TG_PYTHON_PINS); returns
    its interpreter."""
    pins = CLIENTS_DIR / "python" / (pins_file or os.environ.get("TG_PYTHON_PINS", "requirements.txt"))

    def fill(target):
        _run([sys.executable, "-m", "venv", str(target)], "python -m venv")
        _run([str(target / "bin" / "pip"), "install", "-q", "--no-input", "-r", str(pins)],
             "pip install")

    return _once(f"venv-{_digest(pins.read_bytes(), sys.version)}", fill) / "bin" / "python"


def maven_classpath(directory):
    """Everything that directory/pom.xml depends on; returns a class path ending in '*'."""
    java, maven = tool("java"), tool("mvn")
    del java
    pom = CLIENTS_DIR / directory / "pom.xml"

    def fill(target):
        _run([maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies",
              f"-DoutputDirectory={target}"], "mvn dependency:copy-dependencies")

    return str(_once(f"maven-{directory}-{_digest(pom.read_bytes())}", fill) / "*")


def java_classes(directory, classpath):
    """Compiles directory/*.java once; returns a class path that also holds the result."""
    javac = tool("javac")
    sources = sorted((CLIENTS_DIR / directory).glob("*.java"))

    def fill(target):
        _run([javac, "-nowarn", "-cp", classpath, "-d", str(target), *map(str, sources)], "javac",
             BuildFailed)

    name = f"classes-{directory.replace('/', '-')}-{_digest(classpath, *(s.read_bytes() for s in sources))}"
    return f"{_once(name, fill)}{os.pathsep}{classpath}"


def go_program(name):
    """Builds go/<name>; returns the binary. Modules come through the machine's GOPROXY."""
    go = tool("go")
    module = CLIENTS_DIR / "go"
    sources = sorted(p for p in module.rglob("*") if p.suffix in (".go", ".mod", ".sum"))

    def fill(target):
        environment = dict(os.environ, GOFLAGS="-mod=readonly", CGO_ENABLED="0")
        _run([go, "mod", "download"], "go mod download", cwd=module, env=environment)
        _run([go, "build", "-o", str(target / name), f"./{name}"], "go build", BuildFailed,
             cwd=module, env=environment)

    return _once(f"go-{name}-{_digest(*(s.read_bytes() for s in sources))}", fill) / name


def node_modules():
    """npm ci of node/; returns the directory that holds suite.js and node_modules."""
    tool("node")
    npm = tool("npm")
    module = CLIENTS_DIR / "node"
    files = [module / "package.json", module / "package-lock.json"]

    def fill(target):
        for file in files:
            shutil.copy(file, target)
        _run([npm, "ci", "--silent", "--no-audit", "--no-fund"], "npm ci", cwd=target)

    return _once(f"node-{_digest(*(f.read_bytes() for f in files))}", fill)
