import os
import pwd
import shutil
from pathlib import Path

import pytest

from stellapromote.postgresql import unprivileged
from stellapromote.postgresql.unprivileged import ServerUser, hand_over, make_state_directory, server_user

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
STRANGER = ServerUser(uid=12345, gid=12345, name="stranger", switch=True)


def test_somebody_who_is_not_root_stays_who_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "geteuid", lambda: nobody.pw_uid)
    user = server_user(tmp_path / "cluster")
    assert (user.name, user.switch, "user" in user.process_options()) == ("nobody", False, False)


@as_root
def test_root_becomes_the_owner_of_data_that_is_there(tmp_path: Path) -> None:
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    www = pwd.getpwnam("www-data")
    os.chown(cluster, www.pw_uid, www.pw_gid)
    assert server_user(cluster).name == "www-data"


@as_root
def test_root_takes_an_account_that_nothing_else_uses(tmp_path: Path) -> None:
    user = server_user(tmp_path / "cluster")
    assert user.name == "stellapromote"
    assert user.process_options()["extra_groups"] == []
    assert user.uid not in {pwd.getpwnam("nobody").pw_uid, 0}


@as_root
@pytest.mark.parametrize("program", [None, "/bin/false"])
def test_root_without_such_an_account_is_refused_and_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str | None
) -> None:
    monkeypatch.setattr(unprivileged, "ACCOUNT", "no-such-account")
    monkeypatch.setattr(shutil, "which", lambda _: program)
    with pytest.raises(LookupError, match=r"useradd --system .* no-such-account.*DATABASE_URL"):
        server_user(tmp_path / "cluster")


def cluster_of(account: str, folder: Path) -> Path:
    cluster = folder / "cluster"
    (cluster / "base").mkdir(parents=True)
    (cluster / "base" / "1").touch()
    (cluster / "outside").symlink_to("/etc/hostname")
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, pwd.getpwnam(account).pw_uid, 0, follow_symlinks=False)
    return cluster


def owners(cluster: Path) -> set[str]:
    return {pwd.getpwuid(path.lstat().st_uid).pw_name for path in (cluster, *cluster.rglob("*"))}


@as_root
def test_data_of_an_account_that_others_use_is_handed_over(tmp_path: Path) -> None:
    cluster, outside = cluster_of("nobody", tmp_path), Path("/etc/hostname").stat().st_uid
    (cluster / "postmaster.pid").write_text("4194305\n")  # of a server that was killed: no process has such a number
    hand_over(cluster)
    assert owners(cluster) - {"root"} == {"stellapromote"}
    assert server_user(cluster).name == "stellapromote"
    assert Path("/etc/hostname").stat().st_uid == outside


@as_root
def test_data_with_a_running_server_and_that_of_any_other_account_stay(tmp_path: Path) -> None:
    running, other = cluster_of("nobody", tmp_path / "a"), cluster_of("www-data", tmp_path / "b")
    (running / "postmaster.pid").write_text(f"{os.getpid()}\n")
    for cluster in (running, other):
        hand_over(cluster)
    assert owners(running) - {"root"} == {"nobody"}
    assert owners(other) == {"www-data"}


def test_closed_directory_on_the_way_stops_the_account(tmp_path: Path) -> None:
    inside = tmp_path / "closed" / "open"
    inside.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert not STRANGER.can_reach(inside)


def test_directory_that_lets_others_pass_does_not_stop_the_account() -> None:
    assert STRANGER.can_reach(Path("/usr/lib"))


def test_place_that_does_not_exist_yet_is_judged_by_what_is_above_it() -> None:
    assert STRANGER.can_reach(Path("/usr/lib/not-there-yet/cluster"))


def test_state_directory_is_closed_to_listing(tmp_path: Path) -> None:
    make_state_directory(tmp_path / "a" / "state")
    assert (tmp_path / "a" / "state").stat().st_mode & 0o066 == 0


def test_state_directory_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    make_state_directory(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o750
