import os
import pwd
from pathlib import Path

import pytest

from stellapromote.postgresql import unprivileged
from stellapromote.postgresql.unprivileged import ServerUser, make_state_directory, server_user

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
def test_root_takes_an_account_of_the_machine_for_new_data(tmp_path: Path) -> None:
    user = server_user(tmp_path / "cluster")
    assert user.name in {"postgres", "nobody"}
    assert user.process_options()["extra_groups"] == []


@as_root
def test_machine_without_such_an_account_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(unprivileged, "PREFERRED_USERS", ("no-such-account",))
    with pytest.raises(LookupError, match="none of the accounts no-such-account exists"):
        server_user(tmp_path / "cluster")


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
