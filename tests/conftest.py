"""Fixtures for every test. Databases: tests/database.py; a real server: tests/live_server.py."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.database import committed_database, committed_db, django_db_setup, tidied
from tests.live_server import live_server_process, live_server_url

__all__ = [
    "committed_database",
    "committed_db",
    "django_db_setup",
    "live_server_process",
    "live_server_url",
    "tidied",
]


LONG = ("slow", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with tests that take long come first, so that no process is left alone with one of them at the end."""
    long = {item.path for item in items if any(item.get_closest_marker(name) for name in LONG)}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(autouse=True)
def signing_key_forgotten() -> Iterator[None]:
    """A process reads its signing key once; tests give it others."""
    from promotions import signing_key

    signing_key.forget()
    yield
    signing_key.forget()


# How long one example takes says more about what else runs on the machine than about the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
