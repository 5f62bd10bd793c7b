import pytest

from tests.promotions.api.world import World, make_world


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def stranger(db: None) -> World:
    """Another tenant with the same set-up; its admin, operator and approvers hold nothing in Kestrel Pay."""
    return make_world("merlin", prefix="merlin-")
