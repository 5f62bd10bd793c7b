"""The tests of stella: a server, people, and a relay in between."""

from pathlib import Path

import pytest

from tests.clients.deploying import Command
from tests.clients.relay import Relay, relay
from tests.clients.stella import Stella
from tests.database import CommittedDatabase
from tests.promotions.api.world import World, make_world

__all__ = ["relay"]


@pytest.fixture
def world(live_server_url: str, committed_db: CommittedDatabase) -> World:
    return make_world()


@pytest.fixture
def stella(world: World, live_server_url: str) -> Stella:
    return Stella(live_server_url, world.ci.token)


@pytest.fixture
def behind(world: World, relay: Relay) -> Stella:
    """Behind the relay."""
    return Stella(relay.url, world.ci.token)


@pytest.fixture
def url(live_server_url: str) -> str:
    return live_server_url


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path / "command.txt")
