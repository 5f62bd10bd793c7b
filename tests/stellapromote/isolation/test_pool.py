import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path

import pytest

from stellapromote.isolation import IsolationBusy, IsolationCrashed, IsolationTimeout, TaskRefused
from stellapromote.isolation.pool import Pool
from stellapromote.isolation.tasks import MIB, TASKS, Group
from tests.stellapromote.isolation import misbehaviour

HERE = "tests.stellapromote.isolation.misbehaviour"
SMALL = Group("small", memory=256 * MIB, open_files=4, most_output=1000)
OTHER = Group("other", memory=256 * MIB, open_files=3, most_output=1000)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    names = [name for name, each in vars(misbehaviour).items() if callable(each) and each.__module__ == HERE]
    pool = Pool({**{f"{HERE}:{name}": SMALL for name in names}, "tests.stellapromote.isolation.absent:x": OTHER})
    yield pool
    pool.close()


def ask(pool: Pool, task: str, payload: bytes = b"", timeout: float = 5.0) -> bytes:
    return pool.run(f"{HERE}:{task}", payload, timeout=timeout)


def child_of(pool: Pool) -> int:
    return int(ask(pool, "process_id"))


def test_an_answer_comes_back_byte_for_byte(pool: Pool) -> None:
    payload = bytes(range(256)) * 3
    assert ask(pool, "echo", payload) == payload


def test_a_payload_of_32_mib_arrives(pool: Pool) -> None:
    with pytest.raises(IsolationCrashed, match="an answer of 33554432 bytes"):
        ask(pool, "echo", b"x" * 32 * MIB)


def test_calls_share_one_child(pool: Pool) -> None:
    assert child_of(pool) == child_of(pool) != os.getpid()


def test_a_killed_child_is_replaced_by_the_next_call(pool: Pool) -> None:
    before = child_of(pool)
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert child_of(pool) not in (before, os.getpid())


def test_an_endless_loop_is_killed_after_its_time(pool: Pool) -> None:
    before = child_of(pool)
    began = time.monotonic()
    with pytest.raises(IsolationTimeout, match="processor time"):
        ask(pool, "loop", timeout=0.2)
    assert time.monotonic() - began < 2
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_a_timeout_counts_processor_time(pool: Pool) -> None:
    assert ask(pool, "nap", b"0.3", timeout=0.2) == b"rested"


def test_processor_time_of_one_call_is_not_counted_for_the_next(pool: Pool) -> None:
    for _ in range(4):
        ask(pool, "work", b"0.1", timeout=0.3)


def test_after_an_endless_loop_the_next_call_is_answered(pool: Pool) -> None:
    with pytest.raises(IsolationTimeout):
        ask(pool, "loop", timeout=0.1)
    assert ask(pool, "echo", b"again") == b"again"


def test_a_task_that_sleeps_is_killed_after_its_time(pool: Pool) -> None:
    began = time.monotonic()
    with pytest.raises(IsolationTimeout, match=r"no answer within"):
        ask(pool, "sleep", timeout=0.1)
    assert 0.5 <= time.monotonic() - began < 2


def test_a_task_that_takes_all_memory_ends_and_the_next_is_answered(pool: Pool) -> None:
    with pytest.raises(IsolationCrashed, match=r"MemoryError|ended"):
        ask(pool, "hoard", timeout=20)
    assert ask(pool, "echo", b"again") == b"again"


def test_a_crash_of_the_child_is_an_error_of_the_call(pool: Pool) -> None:
    with pytest.raises(IsolationCrashed, match="ended"):
        ask(pool, "crash")
    assert ask(pool, "echo", b"again") == b"again"


def test_an_exception_is_told_by_its_type_only(pool: Pool) -> None:
    with pytest.raises(IsolationCrashed, match="LookupError") as told:
        ask(pool, "fail")
    assert "secret" not in str(told.value)


def test_endless_recursion_ends(pool: Pool) -> None:
    with pytest.raises(IsolationCrashed):
        ask(pool, "recurse")
    assert ask(pool, "echo", b"again") == b"again"


def test_a_refusal_comes_back_with_code_message_and_place(pool: Pool) -> None:
    with pytest.raises(TaskRefused) as refused:
        ask(pool, "refuse")
    said = refused.value
    assert (said.code, said.message, said.place) == ("EVD_INVALID_DOCUMENT", "This is no SBOM.", "components[3].purl")


def test_a_refusal_keeps_the_child(pool: Pool) -> None:
    before = child_of(pool)
    with pytest.raises(TaskRefused):
        ask(pool, "refuse")
    assert child_of(pool) == before


@pytest.mark.parametrize(("size", "fits"), [(1000, True), (1001, False)])
def test_an_answer_has_its_limit(pool: Pool, size: int, fits: bool) -> None:
    if fits:
        assert len(ask(pool, "shout", str(size).encode())) == size
    else:
        with pytest.raises(IsolationCrashed, match="an answer of 1001 bytes"):
            ask(pool, "shout", str(size).encode())


def test_what_a_task_prints_is_not_its_answer(pool: Pool) -> None:
    assert ask(pool, "mutter") == b"said nothing"


def test_the_child_has_no_environment(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "told to nobody")
    pool.close()
    environment, _ = literal_eval(ask(pool, "surroundings").decode())
    assert set(environment) <= {"LC_CTYPE"}  # Python's own


def test_the_child_has_no_descriptor_of_its_parent(pool: Pool) -> None:
    with Path(os.devnull).open() as held:
        os.set_inheritable(held.fileno(), True)
        pool.close()
        _, descriptors = literal_eval(ask(pool, "surroundings", b"descriptors").decode())
    assert descriptors == ["0", "1", "2", "3"]  # 3 is the directory that is being listed


def test_a_group_may_open_no_more_files_than_it_has() -> None:
    pool = Pool({f"{HERE}:read_file": OTHER})
    with pytest.raises(IsolationCrashed, match="OSError"):
        pool.run(f"{HERE}:read_file", b"/etc/passwd", timeout=5)
    pool.close()


def test_no_file_can_be_written(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(IsolationCrashed):
        ask(pool, "write_file", str(tmp_path / "x").encode())


def test_no_process_can_be_started_and_no_core_written(pool: Pool) -> None:
    assert json.loads(ask(pool, "limits")) == {"RLIMIT_NPROC": 0, "RLIMIT_CORE": 0, "RLIMIT_AS": 256 * MIB}


def test_processor_time_is_limited_anew_for_each_call(pool: Pool) -> None:
    pool.close()
    limits = [int(ask(pool, "processor_seconds", timeout=timeout)) for timeout in (5, 60, 5)]
    assert limits[0] <= limits[2] < limits[1]


def test_a_task_that_is_not_installed_is_an_error(pool: Pool) -> None:
    with pytest.raises(IsolationCrashed, match="not installed"):
        pool.run("tests.stellapromote.isolation.absent:x", b"", timeout=5)


def test_a_task_outside_the_table_does_not_run(pool: Pool) -> None:
    with pytest.raises(KeyError):
        pool.run("os:system", b"true", timeout=5)


def test_threads_get_their_own_answers(pool: Pool) -> None:
    wrong: list[bytes] = []

    def work(mark: bytes) -> None:
        for number in range(50):
            payload = mark * (number * 300 + 1) if number < 3 else mark + str(number).encode()
            if ask(pool, "echo", payload) != payload:
                wrong.append(payload)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_call_does_not_wait_for_ever_behind_others(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stellapromote.isolation.pool.QUEUE_SECONDS", (0.1, 0.1))
    child_of(pool)
    thread = threading.Thread(target=ask, args=(pool, "nap", b"0.6"))
    thread.start()
    time.sleep(0.2)
    with pytest.raises(IsolationTimeout, match="other calls"):
        ask(pool, "echo")
    thread.join()


def test_a_call_that_has_no_patience_is_told_that_others_are_first(pool: Pool) -> None:
    child_of(pool)
    thread = threading.Thread(target=ask, args=(pool, "nap", b"0.6"))
    thread.start()
    time.sleep(0.2)
    with pytest.raises(IsolationBusy):
        pool.run(f"{HERE}:echo", b"", timeout=5, patience=0.05)
    thread.join()


def _in_fork(pool: Pool, answers: "multiprocessing.Queue[int]") -> None:
    answers.put(child_of(pool))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_a_child_of_its_own(pool: Pool) -> None:
    mine = child_of(pool)
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=_in_fork, args=(pool, answers))
    process.start()
    theirs = answers.get(timeout=30)
    process.join(30)
    assert theirs != mine
    assert child_of(pool) == mine


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_that_is_forked_during_a_call_does_not_wait_for_it(pool: Pool) -> None:
    child_of(pool)
    thread = threading.Thread(target=ask, args=(pool, "nap", b"4"))
    thread.start()
    time.sleep(0.2)
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=_in_fork, args=(pool, answers))
    process.start()
    assert answers.get(timeout=30) != os.getpid()
    assert thread.is_alive()
    process.join(30)
    thread.join()


def test_the_child_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    program = (
        "import os, sys; sys.path[:0] = ['.']\n"
        "from stellapromote.isolation.pool import Pool\n"
        "from stellapromote.isolation.tasks import Group\n"
        f"name = '{HERE}:process_id'\n"
        "pool = Pool({name: Group('small', 268435456, 4, 1000)})\n"
        "print(pool.run(name, b'', timeout=5).decode(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    child = int(done.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and Path(f"/proc/{child}").exists() and "Z" not in _state(child):
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists() or "Z" in _state(child)


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_every_task_of_the_product_names_a_module_and_a_function() -> None:
    assert all(name.count(":") == 1 and name.replace(":", ".").replace(".", "").isidentifier() for name in TASKS)
