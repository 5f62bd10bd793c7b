from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from stellapromote.generated_secrets import secret_from_file


def test_secret_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "state" / "secret-key"
    assert secret_from_file(path) == secret_from_file(path)


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    assert secret_from_file(tmp_path / "one") != secret_from_file(tmp_path / "two")


def test_secret_is_long_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    secret = secret_from_file(tmp_path / "secret-key")
    assert len(secret) >= 50
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600


def test_nothing_else_is_left_in_the_directory(tmp_path: Path) -> None:
    secret_from_file(tmp_path / "secret-key")
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    secret_from_file(tmp_path / "secret-key")
    (tmp_path / "secret-key").chmod(0o640)
    with pytest.raises(ImproperlyConfigured, match="chmod 600"):
        secret_from_file(tmp_path / "secret-key")


def test_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret-key").touch(mode=0o600)
    with pytest.raises(ImproperlyConfigured, match="is empty"):
        secret_from_file(tmp_path / "secret-key")


def test_place_that_cannot_be_written_is_told_with_the_variable(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(ImproperlyConfigured, match="Set STELLAPROMOTE_DATA to a directory of your own"):
        secret_from_file(tmp_path / "data" / "secret-key")
