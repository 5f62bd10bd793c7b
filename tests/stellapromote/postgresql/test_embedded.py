import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from stellapromote.postgresql import embedded, unprivileged
from stellapromote.postgresql.embedded import LOGIN, OWNER, SUPERUSER, EmbeddedPostgres, EmbeddedPostgresError
from stellapromote.postgresql.unprivileged import server_user

pytestmark = pytest.mark.slow

# What another process of the installation does: use the server until its standard input ends.
OTHER_USER = """
import sys
from pathlib import Path
from stellapromote.postgresql.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])).in_use():
    print("using", flush=True)
    sys.stdin.read()
"""


def ask(server: EmbeddedPostgres, question: str, user: str = LOGIN, **options: str) -> object:
    with psycopg.connect(server.connection(user).conninfo, **options) as connection:
        row = connection.execute(question).fetchone()
        assert row is not None
        return row[0]


@contextlib.contextmanager
def other_process_using(server: EmbeddedPostgres) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER_USER, str(server.state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "using\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()


def test_last_user_stops_the_server(server: EmbeddedPostgres) -> None:
    with server.in_use():
        pass
    assert not server.is_running()


def test_server_runs_on_while_another_process_uses_it(server: EmbeddedPostgres) -> None:
    with server.in_use():
        with other_process_using(server):
            pass
        assert server.is_running()


def test_process_that_did_not_start_the_server_stops_it_when_it_is_the_last(state: Path) -> None:
    server = EmbeddedPostgres(state)
    with contextlib.ExitStack() as stack:
        with server.in_use():
            stack.enter_context(other_process_using(server))
        assert server.is_running()
    assert not server.is_running()


def test_killed_process_does_not_count_as_a_user(state: Path) -> None:
    server = EmbeddedPostgres(state)
    with other_process_using(server) as other:
        other.kill()
        other.wait()
    assert server.is_running()
    with server.in_use():
        pass
    assert not server.is_running()


def test_committed_rows_outlive_a_killed_server(state: Path) -> None:
    server = EmbeddedPostgres(state)
    with server.in_use():
        with psycopg.connect(server.connection(OWNER).conninfo) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        kill_server(server)
        server.ensure_running()
        assert ask(server, "SELECT answer FROM kept", OWNER) == 42


def test_a_dead_server_that_its_parent_has_not_waited_for_keeps_nobody_from_starting_one(state: Path) -> None:
    """As when a command starts while the server of `make run` dies: only `make run` could have waited for it."""
    server = EmbeddedPostgres(state)
    with server.in_use():
        process_id = int((server.cluster / "postmaster.pid").read_text().split()[0])
        os.kill(process_id, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while " Z " not in Path(f"/proc/{process_id}/stat").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        with other_process_using(server):
            assert ask(server, "SELECT 1") == 1
        assert (state / "postgresql.log").read_text().count("already exists") < 3


def kill_server(server: EmbeddedPostgres) -> None:
    process_id = int((server.cluster / "postmaster.pid").read_text().split()[0])
    os.kill(process_id, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while server.is_running() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_server_that_recovers_from_a_killed_backend_is_waited_for(state: Path) -> None:
    server = EmbeddedPostgres(state)
    with server.in_use():
        before = (server.cluster / "postmaster.pid").read_text().split()[0]
        question = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        os.kill(int(str(ask(server, question, SUPERUSER))), signal.SIGKILL)
        wait_for_log(state, "terminating any other active server processes")
        server.ensure_running()
        assert ask(server, "SELECT 1") == 1
        assert (server.cluster / "postmaster.pid").read_text().split()[0] == before
    assert "FATAL:  lock file" not in (state / "postgresql.log").read_text()


def wait_for_log(state: Path, words: str) -> None:
    deadline = time.monotonic() + 10
    while words not in (state / "postgresql.log").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_process_id_that_now_belongs_to_another_program_does_not_keep_the_server_from_starting(state: Path) -> None:
    server = EmbeddedPostgres(state)
    with server.in_use():
        pid_file = server.cluster / "postmaster.pid"
        remembered = pid_file.read_text().split("\n")
        kill_server(server)
        with subprocess.Popen(["sleep", "60"]) as stranger:
            try:
                pid_file.write_text("\n".join([str(stranger.pid), *remembered[1:]]))
                server.ensure_running()
                assert server.is_running()
                assert stranger.poll() is None
            finally:
                stranger.kill()


def test_six_processes_at_once_share_one_new_server(fresh_state: Path) -> None:
    server = EmbeddedPostgres(fresh_state)
    with contextlib.ExitStack() as stack:
        starting = [
            subprocess.Popen(
                [sys.executable, "-c", OTHER_USER, str(fresh_state)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(6)
        ]
        for process in starting:
            stack.enter_context(process)
        said = [process.stdout.readline() for process in starting if process.stdout]
        assert said == ["using\n"] * 6
        for process in starting:
            process.communicate(timeout=60)
    assert not server.is_running()


def test_first_use_makes_and_starts_a_server_with_the_product_database(fresh_state: Path) -> None:
    """An unfinished cluster of a killed start is removed."""
    server = EmbeddedPostgres(fresh_state, throw_away=True)
    server.connection()
    (server.home / "cluster.unfinished-1234").mkdir()
    with server.in_use():
        assert sorted(path.name for path in server.home.iterdir()) == ["cluster", "socket"]
        assert ask(server, "SELECT current_database()") == "stellapromote"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_server_of_root_runs_as_an_unprivileged_account(server: EmbeddedPostgres) -> None:
    with server.in_use():
        process_id = int((server.cluster / "postmaster.pid").read_text().split()[0])
        assert Path(f"/proc/{process_id}").stat().st_uid == server_user(server.cluster).uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_data_of_a_shared_account_goes_on_under_the_account_of_its_own(
    fresh_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = EmbeddedPostgres(fresh_state, throw_away=True)
    with monkeypatch.context() as older:
        older.setattr(unprivileged, "ACCOUNT", "nobody")
        with before.in_use():
            assert server_user(before.cluster).name == "nobody"
            with psycopg.connect(before.connection(OWNER).conninfo) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    after = EmbeddedPostgres(fresh_state, throw_away=True)
    with after.in_use():
        assert server_user(after.cluster).name == "stellapromote"
        assert ask(after, "SELECT answer FROM kept", OWNER) == 42


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_state_directory_closed_to_the_account_gets_its_data_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_state: Path
) -> None:
    monkeypatch.setattr(embedded, "OPEN_PLACE", fresh_state / "open")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "data", throw_away=True)
    with server.in_use():
        assert server.is_running()
        assert server.home.parent == fresh_state / "open"
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_socket_moves_to_a_short_place_when_the_state_directory_has_a_long_path(
    copied_state: Path, fresh_state: Path
) -> None:
    deep = fresh_state / ("long" * 20) / ("path" * 20)
    deep.parent.mkdir()
    copied_state.rename(deep)
    copied_state.mkdir()
    server = EmbeddedPostgres(deep, throw_away=True)
    with server.in_use():
        assert ask(server, "SELECT 1") == 1
        assert not server.socket_directory.is_relative_to(deep)


def test_socket_directory_that_somebody_else_made_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LONGEST_SOCKET_DIRECTORY", 10)
    server = EmbeddedPostgres(state, throw_away=True)
    server.connection()
    trap = server.socket_directory
    trap.symlink_to(state)
    try:
        with pytest.raises(EmbeddedPostgresError, match="belongs to another user"), server.in_use():
            pass
    finally:
        trap.unlink()


def test_passwords_are_readable_by_their_owner_alone(fresh_state: Path) -> None:
    server = EmbeddedPostgres(fresh_state, throw_away=True)
    server.connection()
    assert stat.S_IMODE((server.state / "postgresql.json").stat().st_mode) == 0o600


def test_wrong_password_is_refused(running_server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(running_server, "SELECT 1", password="guessed")


def test_no_password_is_refused(running_server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        ask(running_server, "SELECT 1", password="")


def test_server_listens_on_no_network_address(running_server: EmbeddedPostgres) -> None:
    assert ask(running_server, "SHOW listen_addresses", SUPERUSER) == ""


@pytest.mark.parametrize("role", [LOGIN, OWNER])
def test_roles_of_the_product_are_no_superusers(running_server: EmbeddedPostgres, role: str) -> None:
    assert ask(running_server, "SELECT rolsuper FROM pg_roles WHERE rolname = session_user", role) is False


def test_login_may_become_the_app_role(running_server: EmbeddedPostgres) -> None:
    assert ask(running_server, "SELECT current_user", options="-c role=stellapromote_app") == "stellapromote_app"


def test_login_may_not_become_the_owner(running_server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        ask(running_server, "SELECT 1", options=f"-c role={OWNER}")


def test_text_is_lower_cased_beyond_ascii(running_server: EmbeddedPostgres) -> None:
    assert ask(running_server, "SELECT lower('ÄÖÉ')") == "äöé"


def test_reason_of_a_failed_start_is_one_sentence(copied_state: Path) -> None:
    server = EmbeddedPostgres(copied_state)
    with server.in_use():
        pass
    with (server.cluster / "postgresql.conf").open("a") as settings:
        settings.write("\nshared_buffers = 'nonsense'\n")
    with pytest.raises(EmbeddedPostgresError, match=r"did not start: .*postgresql\.conf.*log:"), server.in_use():
        pass


def test_state_directory_that_is_a_file_is_refused_with_the_variable_to_set(tmp_path: Path) -> None:
    place = tmp_path / "data"
    place.write_text("not a directory")
    with pytest.raises(EmbeddedPostgresError, match="STELLAPROMOTE_DATA"):
        EmbeddedPostgres(place).connection()


def test_throw_away_server_ends_with_its_process(state: Path) -> None:
    script = OTHER_USER.replace("sys.argv[1])", "sys.argv[1]), throw_away=True")
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"using\n"
        process.kill()
    server = EmbeddedPostgres(state)
    deadline = time.monotonic() + 10
    while server.is_running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server.is_running()
