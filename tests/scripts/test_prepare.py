from pathlib import Path
from typing import Any

import pytest
from django.core import management
from django.core.management.base import CommandError
from pytest_django.fixtures import Settings

from scripts import prepare


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The management commands that were called, which do nothing here."""
    names: list[str] = []

    def note(name: str, *_: Any, **options: Any) -> None:
        names.append(name)
        if "stdout" in options:
            options["stdout"].write("sign in as nia")

    monkeypatch.setattr(management, "call_command", note)
    return names


@pytest.mark.parametrize(
    ("embedded", "loopback", "demo", "expected"),
    [
        (True, True, None, True),  # make run on a laptop
        (True, True, False, False),  # DEMO=0
        (True, False, None, False),  # others could sign in with demo people
        (True, False, True, True),  # asked for
        (False, True, None, False),  # somebody's own database
        (False, True, True, True),  # asked for; the command itself refuses where there are other tenants
        (False, False, None, False),
    ],
)
def test_demo_goes_into_the_embedded_database_on_loopback_or_where_it_was_asked_for(
    called: list[str],
    settings: Settings,
    tmp_path: Path,
    embedded: bool,
    loopback: bool,
    demo: bool | None,
    expected: bool,
) -> None:
    settings.EMBEDDED_POSTGRES = settings.EMBEDDED_POSTGRES if embedded else None
    settings.LISTENS_ON_LOOPBACK, settings.DEMO = loopback, demo
    prepare.seed_demo(tmp_path / "said")
    assert (called == ["seed_demo"]) is expected


def test_what_the_demo_says_is_kept_for_the_end_of_the_start(
    called: list[str], settings: Settings, tmp_path: Path
) -> None:
    settings.DEMO = True
    prepare.seed_demo(tmp_path / "said")
    assert (tmp_path / "said").read_text() == "sign in as nia"


@pytest.fixture
def stylesheet(settings: Settings, tmp_path: Path) -> Path:
    """The only static file of a small project, not collected yet."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "base.css").write_text("a{}")
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "collected-files"
    return tmp_path / "source" / "base.css"


def test_static_files_are_collected(stylesheet: Path, settings: Settings) -> None:
    prepare.collect_static_files()
    assert (settings.STATIC_ROOT / "base.css").read_text() == "a{}"


def test_second_start_collects_nothing(stylesheet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare.collect_static_files()
    monkeypatch.setattr(management, "call_command", lambda *_, **__: pytest.fail("collected again"))
    prepare.collect_static_files()


def test_changed_static_file_is_collected_again(stylesheet: Path, settings: Settings) -> None:
    prepare.collect_static_files()
    stylesheet.write_text("b{color:red}")
    prepare.collect_static_files()
    assert (settings.STATIC_ROOT / "base.css").read_text() == "b{color:red}"


def test_while_debugging_static_files_are_served_from_where_they_are(stylesheet: Path, settings: Settings) -> None:
    settings.DEBUG = True
    prepare.collect_static_files()
    assert not settings.STATIC_ROOT.exists()


@pytest.mark.django_db(databases=["default", "owner"])
def test_database_with_nothing_to_migrate_is_left_alone(called: list[str]) -> None:
    prepare.migrate()
    assert called == []


def test_a_key_that_may_not_sign_is_told_and_the_start_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise CommandError("The key is retired.")

    monkeypatch.setattr(management, "call_command", refused)
    prepare.register_signing_key()
    assert capsys.readouterr().out == "The key is retired.\n"
