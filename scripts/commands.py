"""The commands of `scripts/bootstrap.py COMMAND`. Standard library only: it runs before the environment exists."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scripts.environment import ROOT, BrokenEnvironment, VirtualEnvironment, child_environment, say

Check = tuple[str, tuple[str, ...]]
# Side by side, so the longest come first. Each is shown with its output only when it fails.
CHECKS: tuple[Check, ...] = (
    ("types", ("mypy",)),
    ("types of the command line", ("mypy", "--strict", "--cache-dir=.mypy_cache/clients", "clients/stella")),
    ("migrations match the models", ("python", "-W", "ignore", "manage.py", "makemigrations", "--check", "--dry-run")),
    ("templates", ("djlint", "templates", "--lint", "--quiet")),
    ("code style", ("ruff", "check", ".")),
    ("imports point one way", ("lint-imports", "--no-cache")),
    ("format", ("ruff", "format", "--check", ".")),
)
# Keeps what pytest makes of each file: in a fresh checkout every process of the suite would make it anew.
COLLECTION: Check = ("tests are found", ("pytest", "--collect-only", "--quiet"))
# One process more than there are cores, since some wait: for a browser, a server, a time-out. Each has a database
# server of its own; a file's tests stay together for the fixtures that they share. Files are handed out as they were
# collected, long ones first (tests/conftest.py): xdist would begin with those of many.
PROCESSES = min((os.cpu_count() or 1) + 1, 4)
IN_PARALLEL = (f"--numprocesses={PROCESSES}", "--dist=loadfile", "--no-loadscope-reorder")
COMPILE = ("pip-compile", "--quiet", "--generate-hashes", "--strip-extras", "--allow-unsafe")
NO_ADDRESSES = ("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links")


@dataclass(frozen=True)
class Command:
    help: str
    run: Callable[[list[str]], None]


def run(arguments: list[str]) -> None:
    """Never returns: the supervisor takes this process over, so that signals reach it."""
    VirtualEnvironment().ensure("base")
    _become("python", "-m", "scripts.supervisor", *arguments)


def test(arguments: list[str]) -> None:
    """With arguments only pytest runs, with them; without, every check and the whole suite."""
    VirtualEnvironment().ensure("dev")
    _keep_bytecode()
    if arguments:
        _become("pytest", *arguments)
    failed = _failed_checks(COLLECTION, *CHECKS)
    say("\n== tests")
    if _call("pytest", *IN_PARALLEL, "--durations=10"):
        failed.append("tests")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


def test_fast(arguments: list[str]) -> None:
    """Without what is marked slow, or drives a browser, and with few drawn examples: for the time while you work.
    `make test` decides."""
    VirtualEnvironment().ensure("dev")
    _keep_bytecode()
    sys.exit(_call("pytest", *IN_PARALLEL, "-m", "not browser and not slow", *arguments, FAST_TESTS="1"))


def coverage(arguments: list[str]) -> None:
    """The lines and branches that no test reaches. Nearly twice the time of the tests alone: before 3.14, Python is
    slow while its branches are watched."""
    VirtualEnvironment().ensure("dev")
    _keep_bytecode()
    sys.exit(_call("pytest", *IN_PARALLEL, "--cov", "--cov-report=term"))


def lint(arguments: list[str]) -> None:
    VirtualEnvironment().ensure("dev")
    failed = _failed_checks(*CHECKS)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


def style(arguments: list[str]) -> None:
    VirtualEnvironment().ensure("dev")
    sys.exit(_call("ruff", "check", "--fix", ".") or _call("ruff", "format", "."))


def migrations(arguments: list[str]) -> None:
    VirtualEnvironment().ensure("dev")
    _become("python", "-W", "ignore", "manage.py", "makemigrations", *arguments)


def requirements(arguments: list[str]) -> None:
    """Writes requirements/*.txt from pyproject.toml, and those of the client generators; `make requirements
    ARGS=--upgrade` takes newer versions."""
    VirtualEnvironment().ensure("dev")
    os.environ["CUSTOM_COMPILE_COMMAND"] = "make requirements"
    for written, source in (
        ("requirements/base.txt", ("pyproject.toml",)),
        ("requirements/dev.txt", ("--extra", "dev", "pyproject.toml")),
        ("tests/clients/requirements.txt", ("tests/clients/requirements.in",)),
    ):
        if _call(*COMPILE, *NO_ADDRESSES, *arguments, "--output-file", written, *source):
            sys.exit(f"{written} was not written.")


def bench(arguments: list[str]) -> None:
    VirtualEnvironment().ensure("dev")
    _become("python", "-m", "tests.bench", *arguments)


def bench_data(arguments: list[str]) -> None:
    VirtualEnvironment().ensure("dev")
    _become("python", "-m", "tests.bench.data", *arguments)


COMMANDS = {
    "run": Command("start everything on HOST:PORT (127.0.0.1:8000); Ctrl-C stops it", run),
    "test": Command("every check and the whole test suite; with arguments only pytest with them", test),
    "test-fast": Command("the tests for the time while you work: no browsers, servers, sweeps", test_fast),
    "coverage": Command("the whole test suite, and which lines no test reaches", coverage),
    "lint": Command("the checks without the tests", lint),
    "format": Command("repair what ruff can repair", style),
    "migrations": Command("write the migrations that the models need", migrations),
    "requirements": Command("write requirements/*.txt from pyproject.toml", requirements),
    "bench": Command("measure, and print a table of ratios", bench),
    "bench-data": Command("fill a database for the measurements", bench_data),
}


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] not in COMMANDS:
        say("Usage: python3 scripts/bootstrap.py COMMAND\n")
        for name, command in COMMANDS.items():
            say(f"  {name:14}{command.help}")
        sys.exit(0 if arguments in ([], ["help"], ["--help"], ["-h"]) else 2)
    os.chdir(ROOT)
    try:
        COMMANDS[arguments[0]].run(arguments[1:])
    except BrokenEnvironment as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _keep_bytecode() -> None:
    """Tests start hundreds of Pythons: where nothing is kept, each compiles the product anew."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _failed_checks(*checks: Check) -> list[str]:
    failed = []
    with tempfile.TemporaryDirectory(prefix="stellapromote-checks-") as state, ThreadPoolExecutor(2) as side_by_side:
        environment = child_environment() | {"STELLAPROMOTE_DATA": state}
        for (name, _), (done, seconds) in zip(
            checks, side_by_side.map(lambda check: _timed(check[1], environment), checks), strict=True
        ):
            say(f"== {name}: {'ok' if done.returncode == 0 else 'FAILED'} ({seconds:.1f} s)")
            if done.returncode != 0:
                say(f"{done.stdout}{done.stderr}")
                failed.append(name)
    return failed


def _timed(command: Sequence[str], environment: dict[str, str]) -> "tuple[subprocess.CompletedProcess[str], float]":
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done, time.monotonic() - started


def _call(program: str, *arguments: str, **more: str) -> int:
    return subprocess.run([program, *arguments], env=child_environment() | more).returncode


def _become(program: str, *arguments: str) -> None:
    sys.stdout.flush()
    os.execvpe(program, [program, *arguments], child_environment())  # noqa: S606
