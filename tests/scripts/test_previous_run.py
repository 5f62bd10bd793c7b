import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.previous_run import AlreadyRunning, NotWritable, Run

URL = "http://127.0.0.1:8000"


def leave_record(state: Path, process: "subprocess.Popen[bytes]") -> None:
    record = {"supervisor": 1, "url": URL, "children": [process.pid]}
    (state / "run.json").write_text(json.dumps(record))


def ends(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return False
    return True


def test_second_supervisor_of_a_state_directory_is_refused_with_the_address_of_the_first(tmp_path: Path) -> None:
    first = Run(tmp_path)
    first.claim(URL)
    with pytest.raises(AlreadyRunning, match=rf"runs here already: {URL} \(process \d+\)"):
        Run(tmp_path).claim("http://127.0.0.1:9999")


def test_children_of_a_killed_supervisor_are_ended_at_the_next_start(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "import time; print('started', flush=True); time.sleep(60)"]
    with subprocess.Popen(program, start_new_session=True, stdout=subprocess.PIPE) as leftover:
        assert leftover.stdout is not None
        leftover.stdout.readline()
        leave_record(tmp_path, leftover)
        Run(tmp_path).claim(URL)
        assert ends(leftover)


def test_program_that_got_the_process_id_of_a_child_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        leave_record(tmp_path, stranger)
        Run(tmp_path).claim(URL)
        time.sleep(0.1)
        assert stranger.poll() is None
        stranger.kill()


def test_half_written_record_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"children": [')
    Run(tmp_path).claim(URL)


def test_record_goes_when_everything_stopped(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.claim(URL)
    run.release()
    assert not (tmp_path / "run.json").exists()


def test_a_directory_of_another_account_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "run.lock").mkdir()  # the tests may run as root, who may write everywhere
    with pytest.raises(NotWritable, match="STELLAPROMOTE_DATA to a directory of your own"):
        Run(tmp_path).claim(URL)
