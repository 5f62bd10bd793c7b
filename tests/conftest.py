"""Fixtures for every test. Databases: tests/database.py; a real server: tests/live_server.py."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import setting_changed
from django.db import connection
from django.test.client import ClientHandler
from hypothesis import HealthCheck, settings

from stellapromote import transactions
from stellapromote.signing.canonical_json import digest
from tests.database import committed_database, committed_db, django_db_setup, tidied
from tests.examples import examples
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
SLOW_FIXTURES = frozenset(
    {"served", "drawn_once", "crowd", "live_server_process", "chromium", "running_server", "elsewhere"}
)
"""They start servers or a browser, or draw hundreds of rows: their tests are slow, wherever they stand."""
MADE_OF_MIDDLEWARE = (
    *("_view_middleware", "_template_response_middleware"),
    *("_exception_middleware", "_middleware_chain"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of slow fixtures. Files with tests that take long come first, so that no process is left alone
    with one of them at the end."""
    for item in items:
        if not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    long = {item.path for item in items if any(item.get_closest_marker(name) for name in LONG)}
    items.sort(key=lambda item: item.path not in long)


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """What was collected stays until the end: looking for garbage in it, again and again, takes a twentieth of the
    time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def transactions_of_tests_do_not_count() -> Iterator[None]:
    """Django wraps a test in a transaction, where a savepoint stands for the one that the product would begin."""
    is_outermost = transactions.is_outermost

    def is_outermost_in_test() -> bool:
        blocks = connection.atomic_blocks
        return bool(blocks and blocks[-1]._from_testcase) or is_outermost()  # type: ignore[attr-defined]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transactions, "is_outermost", is_outermost_in_test)
        yield


@pytest.fixture(scope="session", autouse=True)
def middleware_is_made_once() -> Iterator[None]:
    """As in a process that serves: calls of the API each have a client of their own, which would make it anew."""
    load = ClientHandler.load_middleware
    loaded: dict[str, Any] = {}

    def load_once(handler: ClientHandler, is_async: bool = False) -> None:
        if not loaded:
            load(handler, is_async)
            loaded.update({name: vars(handler)[name] for name in MADE_OF_MIDDLEWARE})
        vars(handler).update(loaded)

    def forget(**_: Any) -> None:
        loaded.clear()

    setting_changed.connect(forget)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClientHandler, "load_middleware", load_once)
        yield
    setting_changed.disconnect(forget)


@pytest.fixture(scope="module", autouse=True)
def nothing_shared_has_changed() -> Iterator[None]:
    """Policies that stay in the process are shared: a test that changes one breaks others, later and elsewhere."""
    from policies import stored_documents

    yield
    kept = stored_documents._recent._kept
    changed = [key for key, document in kept.items() if digest(document) != key[1]]
    for key in changed:
        del kept[key]
    assert changed == []


@pytest.fixture(autouse=True)
def signing_key_forgotten() -> Iterator[None]:
    """A process reads its signing key once; tests give it others."""
    from promotions.packets import signing_key

    signing_key.load.cache_clear()
    yield
    signing_key.load.cache_clear()


# How long one example takes says more about what else runs on the machine than about the code.
settings.register_profile(
    "any-machine", max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")
