"""In which order files are handed to the processes of `make test`."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.conftest import pytest_collection_modifyitems


def item(path: str, *markers: str) -> Any:
    given = list(markers)
    return SimpleNamespace(
        path=Path(path),
        fixturenames=["served"] if path == "e" else [],
        add_marker=given.append,
        get_closest_marker=lambda name: name if name in given else None,
    )


def test_files_that_take_long_come_first_and_stay_whole() -> None:
    items = [item("a"), item("b"), item("b", "slow"), item("c"), item("d", "browser"), item("d"), item("e")]
    pytest_collection_modifyitems(items)
    assert [str(each.path) for each in items] == ["b", "b", "d", "d", "e", "a", "c"]
