"""A house in which voting is blind."""

import pytest

from tests.promotions.kestrel import Kestrel
from tests.promotions.voting.blindness.blinded import blinded


@pytest.fixture
def kestrel() -> Kestrel:
    return blinded()
