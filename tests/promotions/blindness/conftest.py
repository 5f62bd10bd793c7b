"""A house in which voting is blind."""

import pytest

from tests.promotions.blindness.blinded import blinded
from tests.promotions.kestrel import Kestrel


@pytest.fixture
def kestrel() -> Kestrel:
    return blinded()
