import pytest

from tests.promotions.kestrel import Kestrel, make_kestrel


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel(now=True)
