import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forks import Forks, forks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with forks("import decimal", tmp_path_factory.mktemp("forks") / "log") as started:
        yield started


def test_what_a_fork_imports_and_sets_is_not_in_the_next(forked: Forks) -> None:
    code = "import os, sys; print('decimal' in sys.modules, 'fractions' in sys.modules, dict(os.environ))"
    changed = f"{code}; import fractions; os.environ['A'] = 'c'"
    assert [forked.run(each, {"A": "b"}).stdout for each in (changed, code)] == ["True False {'A': 'b'}\n"] * 2


@pytest.mark.parametrize(
    ("code", "ended", "said"),
    [
        ("pass", 0, ""),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('no')", 1, "no"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 70, ""),
    ],
)
def test_it_ends_as_a_program_does(forked: Forks, code: str, ended: int, said: str) -> None:
    done = forked.run(code, {})
    assert (done.returncode, done.stdout, "".join(done.stderr.splitlines()[-1:])) == (ended, "", said)


def test_what_a_shell_types_has_its_arguments_input_and_directory(forked: Forks, tmp_path: Path) -> None:
    command = forked.typed("import os, sys; print(sys.argv, input(), os.environ['X'], os.getcwd())")
    shell = ["bash", "-c", f"X=y {command} a 'b c' <<<said || echo $?"]
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"['a', 'b c'] said y {tmp_path}\n", "")
